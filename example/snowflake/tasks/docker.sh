#!/usr/bin/env bash
# SPDX-License-Identifier: MPL-2.0
# Installs Docker from Ubuntu's own packages, in the major version that the template names.
set -euo pipefail

export DEBIAN_FRONTEND=noninteractive
apt-get update
apt-get install -y "docker.io=${DOCKER_VERSION}.*"
systemctl enable docker
apt-get clean
