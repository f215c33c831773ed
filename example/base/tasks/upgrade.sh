#!/usr/bin/env bash
# SPDX-License-Identifier: MPL-2.0
set -euo pipefail

export DEBIAN_FRONTEND=noninteractive
apt-get update
apt-get -y -o Dpkg::Options::=--force-confold dist-upgrade
apt-get -y autoremove
apt-get clean
