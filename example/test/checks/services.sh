#!/bin/sh
# SPDX-License-Identifier: MPL-2.0
# Fails if a service did not start.
set -eu

systemctl is-system-running --wait || {
  systemctl --failed --no-legend
  exit 1
}
