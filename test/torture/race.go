// SPDX-License-Identifier: MPL-2.0

package main

import "context"

// promiseRace lets many publish under the race detector, with which the program itself is too slow to be built. Most
// of what it costs is JSON, and most JSON is in refs, so the channels move every tenth round only.
func promiseRace(ctx context.Context, r *Run) (Result, error) {
	// The flags of make test: what that compiled serves here.
	result, err := goTest(ctx, r, "./test/torture", "^TestRace$", "-race",
		"-gcflags=github.com/aws/aws-sdk-go-v2/service/...=-dwarf=false -l")
	result.Note = "32 writers x 50 on gofakes3, under the race detector"
	return result, err
}

func raceWorkload(long bool) workload {
	if long {
		return workload{Writers: 32, Publishes: 50, RefsEvery: 10}
	}
	return workload{Writers: 8, Publishes: 6, RefsEvery: 2}
}
