// SPDX-License-Identifier: MPL-2.0

package tasks

import (
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// scripts are all shell scripts below example/.
func scripts(t *testing.T) []string {
	t.Helper()
	var paths []string
	err := filepath.WalkDir("../../example", func(path string, _ fs.DirEntry, err error) error {
		if strings.HasSuffix(path, ".sh") {
			paths = append(paths, path)
		}
		return err
	})
	if err != nil || len(paths) == 0 {
		t.Fatalf("scripts: %v (%v)", paths, err)
	}
	return paths
}

// TestScripts checks that each script is well-formed, and ends with its first error.
func TestScripts(t *testing.T) {
	for _, path := range scripts(t) {
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		shell, strict := "bash", "\nset -euo pipefail\n"
		if strings.HasPrefix(string(text), "#!/bin/sh\n") {
			shell, strict = "sh", "\nset -eu\n"
		}
		if !strings.Contains(string(text), strict) {
			t.Errorf("%s lacks%s", path, strict)
		}
		if out, err := exec.Command(shell, "-n", path).CombinedOutput(); err != nil {
			t.Errorf("%s: %v\n%s", path, err, out)
		}
		if strings.Contains(string(text), "sudo ") {
			t.Errorf("%s calls sudo: a container has none, and the template does it for an AMI", path)
		}
	}
}

// TestScripts_shellcheck is for machines that have shellcheck.
func TestScripts_shellcheck(t *testing.T) {
	shellcheck, err := exec.LookPath("shellcheck")
	if err != nil {
		t.Skip("shellcheck is missing: install it with apt-get")
	}
	if out, err := exec.Command(shellcheck, scripts(t)...).CombinedOutput(); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}
