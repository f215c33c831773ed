// SPDX-License-Identifier: MPL-2.0

package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
)

// report writes a report of the registry, keeps it, and prints where.
func (d *demo) report(ctx context.Context) error {
	heading("A report shows the chain, and what to build next")
	if err := d.build(ctx, "report"); err != nil {
		return err
	}
	files := os.DirFS(filepath.Join(d.repo.Dir, "report", "chain-report"))
	kept, err := os.MkdirTemp("", "chain-demo-report-")
	if err != nil {
		return err
	}
	if err := os.CopyFS(kept, files); err != nil {
		return err
	}
	fmt.Println("Open it in a browser: " + filepath.Join(kept, "chain.html"))
	return nil
}
