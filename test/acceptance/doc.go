// SPDX-License-Identifier: MPL-2.0

// Package acceptance tests the plugin as a user meets it: the real packer, the real Amazon plugin,
// git, and an AWS account that is emulated. There is no code here but tests; they run when PACKER_ACC
// is set, which "make test" does. See lab_test.go for how a test is written.
package acceptance
