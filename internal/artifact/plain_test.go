// SPDX-License-Identifier: MPL-2.0

package artifact

import (
	"os"
	"path/filepath"
	"testing"
)

// TestFiles checks that a template may refer to build.ID and all names of other builders, and that
// nothing deletes the files.
func TestFiles(t *testing.T) {
	name := filepath.Join(t.TempDir(), "chain.json")
	if err := os.WriteFile(name, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	f := NewFiles("chain-report", []string{name})
	data, _ := f.State("generated_data").(map[string]any)
	if data["ID"] != "chain-report" {
		t.Errorf("build.ID is %v", data["ID"])
	}
	for _, name := range append(commonData, AmazonData...) {
		if _, known := data[name]; !known {
			t.Errorf("build.%s has no value", name)
		}
	}
	if err := f.Destroy(); err != nil {
		t.Error(err)
	}
	if _, err := os.Stat(name); err != nil {
		t.Errorf("the file was deleted: %v", err)
	}
}
