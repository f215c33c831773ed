// SPDX-License-Identifier: MPL-2.0

package report

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"

	"github.com/natefinch/atomic"

	"github.com/packer-chain/packer-plugin-chain/internal/report"
)

// write writes the files into a folder, and returns their names.
func write(folder string, r report.Report) ([]string, error) {
	var page bytes.Buffer
	if err := report.HTML(&page, r); err != nil {
		return nil, err
	}
	document, err := report.JSON(r)
	if err != nil {
		return nil, err
	}
	if err := os.MkdirAll(folder, 0o755); err != nil {
		return nil, fmt.Errorf("write the report: %w", err)
	}
	var names []string
	for _, file := range []struct {
		name string
		body []byte
	}{
		{"chain.html", page.Bytes()}, {"chain.json", document}, {"chain.mmd", []byte(report.Mermaid(r))},
	} {
		name := filepath.Join(folder, file.name)
		if err := atomic.WriteFile(name, bytes.NewReader(file.body)); err != nil {
			return nil, fmt.Errorf("write %s: %w", name, err)
		}
		if err := os.Chmod(name, 0o644); err != nil {
			return nil, fmt.Errorf("write %s: %w", name, err)
		}
		names = append(names, name)
	}
	return names, nil
}
