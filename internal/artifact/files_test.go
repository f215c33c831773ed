// SPDX-License-Identifier: MPL-2.0

package artifact

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/packer-chain/packer-plugin-chain/internal/manifest"
	"github.com/packer-chain/packer-plugin-chain/internal/text"
)

// TestExisting_files has a manifest that names files of others. Only what was built is passed on.
func TestExisting_files(t *testing.T) {
	root, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	work, template := filepath.Join(root, "work"), filepath.Join(root, "template")
	for path, body := range map[string]string{"secret": "secret", "work/out/a.img": "built", "template/b.img": "built", "work-2/c": "built"} {
		path = filepath.Join(root, filepath.FromSlash(path))
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(body), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	t.Chdir(work)
	if err := os.Symlink(root, "link"); err != nil {
		t.Skip(err)
	}
	of := func(name, body string) manifest.File {
		return manifest.File{Name: filepath.FromSlash(name), Size: int64(len(body)), SHA256: text.SHA256(body)}
	}
	unhashed := of("out/a.img", "built")
	unhashed.SHA256 = ""
	tests := map[string]struct {
		file manifest.File
		want string // why it is not passed on; empty: it is
	}{
		"as built":                          {of("out/a.img", "built"), ""},
		"not there: whoever opens it fails": {of("out/gone.img", "built"), ""},
		"in the template's folder":          {of(filepath.Join(template, "b.img"), "built"), ""},
		"relative to elsewhere":             {of("../template/b.img", "built"), ""},
		"another content":                   {of("out/a.img", "other"), "is not the file that was built"},
		"of another size":                   {of("out/a.img", "built more"), "is not the file that was built"},
		"a folder":                          {of("out", "built"), "is not the file that was built"},
		"no hash":                           {unhashed, "has no SHA-256"},
		"above":                             {of("../secret", "secret"), "is not in the folder of the template"},
		"above, and gone":                   {of("../gone", "secret"), "is not in the folder of the template"},
		"absolute":                          {of(filepath.Join(root, "secret"), "secret"), "is not in the folder of the template"},
		"a folder of a longer name":         {of("../work-2/c", "built"), "is not in the folder of the template"},
		"over a link":                       {of("link/secret", "secret"), "is not in the folder of the template"},
		"over a link, and gone":             {of("link/gone", "secret"), "is not in the folder of the template"},
		"out and in again":                  {of("out/../../secret", "secret"), "is not in the folder of the template"},
		"the working directory itself":      {of(".", ""), "is not in the folder of the template"},
		"no name":                           {of("", ""), "is not in the folder of the template"},
		"a name with NUL":                   {manifest.File{Name: "a\x00b", SHA256: "x"}, "cannot be read"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			good := of("out/a.img", "built")
			a := NewExisting("app", "4f1c", []manifest.Entry{{Files: []manifest.File{good, tt.file}}}, template)
			files, lines := a.Files(), strings.Join(a.Lines(), "\n")
			if tt.want == "" && (!slices.Equal(files, []string{good.Name, tt.file.Name}) || strings.Contains(lines, "warning")) {
				t.Errorf("got %q, %s", files, lines)
			}
			if tt.want != "" && (len(files) > 0 || !strings.Contains(lines, "warning: its files are not passed on: ") || !strings.Contains(lines, tt.want)) {
				t.Errorf("got %q, %s; want %q", files, lines, tt.want)
			}
			if strings.ContainsRune(lines, 0) {
				t.Errorf("%q is not fit to be shown", lines)
			}
		})
	}
}
