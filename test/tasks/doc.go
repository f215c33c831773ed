// SPDX-License-Identifier: MPL-2.0

// Package tasks tests the scripts of the examples: in a Debian or Ubuntu that debootstrap makes
// from the packages of this machine's distribution, as root in a chroot, each twice. It holds
// nothing but tests. They run if PACKER_ACC is set, as "make test" does, and need root and
// debootstrap.
package tasks
