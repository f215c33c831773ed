#!/usr/bin/env bash
# SPDX-License-Identifier: MPL-2.0
set -euo pipefail

apt-get update
DEBIAN_FRONTEND=noninteractive apt-get install -y locales
locale-gen en_US.UTF-8
update-locale LANG=en_US.UTF-8
