#!/usr/bin/env bash
# SPDX-License-Identifier: MPL-2.0
# Sets up apt for the scripts that follow, and for those of the images built on this one: it waits
# for its lock, repeats a download that fails, and keeps configuration files that were changed.
set -euo pipefail

cat >/etc/apt/apt.conf.d/90image <<'END'
DPkg::Lock::Timeout "600";
Dpkg::Options { "--force-confdef"; "--force-confold"; };
Acquire::Retries "5";
APT::Update::Error-Mode "any";
END

# Updating does not wait for the lock of the lists, which a timer of the system may hold.
for try in {1..10}; do
  apt-get update && break
  [ "$try" -lt 10 ]
  sleep 10
done
DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends ca-certificates
