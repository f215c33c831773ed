// SPDX-License-Identifier: MPL-2.0

// Command install brings the programs named as arguments, or all, into the cache folder. It runs
// in the root of the repository; "make tools" calls it.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"

	"github.com/packer-chain/packer-plugin-chain/test/lab/toolbox"
)

func main() {
	names := os.Args[1:]
	if len(names) == 0 {
		names = toolbox.Names()
	}
	if err := run(names); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// run goes on after a failure, so that all that is missing is known at once.
func run(names []string) error {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	var errs []error
	for _, name := range names {
		errs = append(errs, toolbox.Install(ctx, ".", name, os.Stderr))
	}
	return errors.Join(errs...)
}
