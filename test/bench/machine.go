// SPDX-License-Identifier: MPL-2.0

package main

import (
	"context"
	"debug/buildinfo"
	"fmt"
	"runtime"
	"strings"
	"time"
)

// versions returns what the results depend on: the machine, and the versions of the programs.
func (l *lab) versions(ctx context.Context) []string {
	all := []string{time.Now().UTC().Format(time.DateOnly),
		fmt.Sprintf("%d cores", runtime.NumCPU()), runtime.GOOS + "/" + runtime.GOARCH, runtime.Version()}
	for _, argv := range [][]string{
		{"packer", "version"}, {"git", "--version"}, {"aws", "--version"}, {"jq", "--version"},
		{"git", "-C", l.root, "log", "-1", "--format=commit %h of this plugin"},
	} {
		// A measurement that needs none of them has no reason to fail here.
		if out, err := l.exec(ctx, l.dir, argv...); err == nil {
			line, _, _ := strings.Cut(out, "\n")
			line, _, _ = strings.Cut(line, " Linux/")
			all = append(all, line)
		}
	}
	for _, name := range []string{"packer-plugin-amazon", "versitygw"} {
		if info, err := buildinfo.ReadFile(l.tools[name]); err == nil {
			all = append(all, name+" "+info.Main.Version)
		}
	}
	return all
}
