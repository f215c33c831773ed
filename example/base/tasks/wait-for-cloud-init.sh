#!/usr/bin/env bash
# SPDX-License-Identifier: MPL-2.0
# cloud-init still installs packages when SSH answers already; apt would find its lock taken.
set -euo pipefail

# Exit status 2 means: done, with warnings.
cloud-init status --wait || [ $? -eq 2 ]
