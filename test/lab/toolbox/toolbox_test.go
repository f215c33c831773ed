// SPDX-License-Identifier: MPL-2.0

package toolbox

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestRecentPacker(t *testing.T) {
	for _, tt := range []struct {
		name, in string
		want     bool
	}{
		{"current", "Packer v1.16.0\n", true},
		{"with advice", "Packer v1.12.0\n\nYour version of Packer is out of date!", true},
		{"too old", "Packer v1.6.6\n", false},
		{"beta of the oldest", "Packer v1.12.0-beta1\n", false},
		{"another program", "cracklib packer: 12 words\n", false},
		{"nothing", "", false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if got := recentPacker(tt.in); got != tt.want {
				t.Errorf("recentPacker(%q) = %v, want %v", tt.in, got, tt.want)
			}
		})
	}
}

func TestTools_wanted(t *testing.T) {
	for _, tool := range tools {
		t.Run(tool.name, func(t *testing.T) {
			version, err := tool.wanted("../../..")
			if err != nil || !strings.HasPrefix(version, "v") {
				t.Errorf("wanted() = %q, %v, want a version", version, err)
			}
		})
	}
}

func TestDir(t *testing.T) {
	t.Setenv("CHAIN_CACHE", "")
	t.Setenv("XDG_CACHE_HOME", "/var/cache")
	if got, _ := Dir(); got != "/var/cache/packer-plugin-chain" {
		t.Errorf("Dir() = %q with XDG_CACHE_HOME", got)
	}
	t.Setenv("CHAIN_CACHE", "/elsewhere")
	if got, _ := Dir(); got != "/elsewhere" {
		t.Errorf("Dir() = %q with CHAIN_CACHE", got)
	}
}

func TestMotoPython_missing(t *testing.T) {
	bin := t.TempDir()
	t.Setenv("PATH", bin)
	t.Setenv("CHAIN_CACHE", filepath.Join(bin, "cache"))
	_, err := MotoPython(t.Context())
	if err == nil || !strings.Contains(err.Error(), "no python3 on PATH") {
		t.Errorf("without python3: %v", err)
	}

	old := "#!/bin/sh\necho /usr/bin/python3 4.1.0\n"
	if err := os.WriteFile(filepath.Join(bin, "python3"), []byte(old), 0o755); err != nil {
		t.Fatal(err)
	}
	_, err = MotoPython(t.Context())
	if err == nil || !strings.Contains(err.Error(), "has moto v4.1.0") || !strings.Contains(err.Error(), "pip install") {
		t.Errorf("with an old moto: %v", err)
	}
}

func TestShebang(t *testing.T) {
	for _, tt := range []struct{ name, in, want string }{
		{"an environment", "#!/opt/moto/bin/python3.11\nimport moto\n", "/opt/moto/bin/python3.11"},
		{"a wrapper", "#!/usr/bin/env bash\nexec moto\n", ""},
		{"a binary", "\x7fELF", ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "moto_server")
			if err := os.WriteFile(path, []byte(tt.in), 0o755); err != nil {
				t.Fatal(err)
			}
			if got := shebang(path); got != tt.want {
				t.Errorf("shebang(%q) = %q, want %q", tt.in, got, tt.want)
			}
		})
	}
}
