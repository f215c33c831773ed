// SPDX-License-Identifier: MPL-2.0

package program

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestPath_missing(t *testing.T) {
	t.Setenv("PATH", t.TempDir())
	_, err := Path("packer")
	if !errors.Is(err, ErrMissing) || !strings.Contains(err.Error(), `"packer"`) ||
		!strings.Contains(err.Error(), "make test") {
		t.Errorf("Path() = %v", err)
	}
}

func TestMoto(t *testing.T) {
	for _, tt := range []struct{ name, python, want, err string }{
		{"a wrapper", "#!/bin/sh\necho /opt/moto/bin/python3\n", "/opt/moto/bin/python3", ""},
		{"no moto", "#!/bin/sh\n", "", "has no moto"},
		{"no Python", "", "", `"python3"`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			bin := t.TempDir()
			t.Setenv("PATH", bin)
			if tt.python != "" {
				if err := os.WriteFile(filepath.Join(bin, "python3"), []byte(tt.python), 0o755); err != nil {
					t.Fatal(err)
				}
			}
			got, err := Moto(t.Context())
			if got != tt.want || errors.Is(err, ErrMissing) != (tt.err != "") ||
				(err != nil && !strings.Contains(err.Error(), tt.err)) {
				t.Errorf("Moto() = %q, %v", got, err)
			}
		})
	}
}
