// SPDX-License-Identifier: MPL-2.0

// Package acceptance tests the plugin as a user meets it: the real packer, the real Amazon plugin,
// git, and an AWS account that is emulated. It holds nothing but tests, which run if PACKER_ACC is
// set, as "make test" does. README.md says how to write one.
package acceptance
