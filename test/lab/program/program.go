// SPDX-License-Identifier: MPL-2.0

// Package program finds the programs that the tests run beside git and Go.
package program

import (
	"context"
	"errors"
	"fmt"
	"os/exec"
	"strings"
)

// ErrMissing means that one of the programs that make installs is missing.
var ErrMissing = errors.New("a program is missing")

const remedy = "Use make, such as make test: it installs the tools and puts them on PATH. " +
	"make tools prints that PATH."

// Path returns the path of a program on PATH. The error is [ErrMissing] if PATH has none.
func Path(name string) (string, error) {
	path, err := exec.LookPath(name)
	if err != nil {
		return "", fmt.Errorf("%w: %w\n\n%s", ErrMissing, err, remedy)
	}
	return path, nil
}

// Moto returns a Python interpreter that has the AWS emulator: the one that python3 on PATH runs.
// That python3 may be a wrapper. The error is [ErrMissing] if the interpreter or moto is missing.
func Moto(ctx context.Context) (string, error) {
	python, err := Path("python3")
	if err != nil {
		return "", err
	}
	const find = "import sys, importlib.util as u; u.find_spec('moto') and print(sys.executable)"
	out, err := exec.CommandContext(ctx, python, "-c", find).Output()
	if err != nil {
		return "", fmt.Errorf("look for moto in %s: %w", python, err)
	}
	if len(out) == 0 {
		return "", fmt.Errorf("%w: %s has no moto\n\n%s", ErrMissing, python, remedy)
	}
	return strings.TrimSpace(string(out)), nil
}
