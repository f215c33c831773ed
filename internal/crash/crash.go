// SPDX-License-Identifier: MPL-2.0

// Package crash turns a panic at the edge of a component into an error that a user can act on.
// Packer itself would show "unexpected EOF".
package crash

import (
	"fmt"
	"log"
	"runtime/debug"

	"github.com/packer-chain/packer-plugin-chain/internal/version"
)

// Recover turns a panic into *err. Defer it in each entry point that Packer calls. The stack goes
// to Packer's log, which PACKER_LOG=1 shows.
func Recover(where string, err *error) {
	cause := recover()
	if cause == nil {
		return
	}
	*err = report(where, cause)
}

// Guard wraps fn so that a panic becomes an error. Goroutines need it, because [Recover] in the
// entry point that started them does not see their panics, and the plugin would end.
func Guard(where string, fn func() error) func() error {
	return func() (err error) {
		defer Recover(where, &err)
		return fn()
	}
}

func report(where string, cause any) error {
	log.Printf("[ERROR] %s: %v\n%s", where, cause, debug.Stack())
	return fmt.Errorf("%s: bug in the chain plugin %s: %v\n\n"+
		"Please report it at https://github.com/packer-chain/packer-plugin-chain/issues, with the "+
		"output of PACKER_LOG=1 packer build", where, version.String(), cause)
}
