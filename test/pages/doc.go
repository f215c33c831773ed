// SPDX-License-Identifier: MPL-2.0

// Package pages checks the pages that users read against the code and against each other: every
// link leads somewhere, every option and output is on the page of its component, and every error
// with advice is on the page of errors.
package pages
