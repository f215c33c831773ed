#!/usr/bin/env bash
# SPDX-License-Identifier: MPL-2.0
# cloud-init may still be installing packages when SSH is up, and then holds the lock of apt. A
# container has no cloud-init.
set -euo pipefail

command -v cloud-init >/dev/null || exit 0
# Exit status 2 means done, with warnings.
cloud-init status --wait || [ $? -eq 2 ]
