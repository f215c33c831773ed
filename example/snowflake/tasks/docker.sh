#!/usr/bin/env bash
# SPDX-License-Identifier: MPL-2.0
# Installs Docker from the distribution's own packages, in the major version that the template
# names.
set -euo pipefail

if command -v cloud-init >/dev/null; then
  # Exit status 2 means done, with warnings.
  cloud-init status --wait || [ $? -eq 2 ]
fi
for try in {1..10}; do
  apt-get update && break
  [ "$try" -lt 10 ]
  sleep 10
done
DEBIAN_FRONTEND=noninteractive apt-get install -y "docker.io=${DOCKER_VERSION}.*"
# A container may have no systemd.
if command -v systemctl >/dev/null; then
  systemctl enable docker.service
fi
apt-get clean
