#!/usr/bin/env bash
# SPDX-License-Identifier: MPL-2.0
# The locale is en_US.UTF-8. Ubuntu and Debian both read which ones to generate from a file.
set -euo pipefail

DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends locales
grep -qx 'en_US.UTF-8 UTF-8' /etc/locale.gen || echo 'en_US.UTF-8 UTF-8' >>/etc/locale.gen
locale-gen
update-locale LANG=en_US.UTF-8
