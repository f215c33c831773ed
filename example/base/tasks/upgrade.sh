#!/usr/bin/env bash
# SPDX-License-Identifier: MPL-2.0
# Upgrades all packages. apt.sh has just updated the lists.
set -euo pipefail

export DEBIAN_FRONTEND=noninteractive
apt-get -y dist-upgrade
apt-get -y autoremove
apt-get clean
