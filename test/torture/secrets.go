// SPDX-License-Identifier: MPL-2.0

package main

import "context"

// promiseSecrets plants secrets in options, environment, CI and git, and looks for them in everything that
// successful and failing runs of Packer leave.
func promiseSecrets(ctx context.Context, r *Run) (Result, error) {
	result, err := goTest(ctx, r, "./test/acceptance", "^TestAccSecrets")
	if result.Note == "" {
		result.Note = "planted values, in runs of Packer with PACKER_LOG=1"
	}
	return result, err
}
