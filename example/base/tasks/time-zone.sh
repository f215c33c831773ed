#!/usr/bin/env bash
# SPDX-License-Identifier: MPL-2.0
# The time zone is UTC. timedatectl would need systemd to run, which it does not in a container.
set -euo pipefail

DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends tzdata
ln -sfn /usr/share/zoneinfo/Etc/UTC /etc/localtime
echo Etc/UTC >/etc/timezone
