// SPDX-License-Identifier: MPL-2.0

package acceptance

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
)

// TestAccScripts runs the scripts in testdata, each with another AWS account. README.md says how to
// write one.
func TestAccScripts(t *testing.T) {
	newPacker(t)
	t.Parallel()
	testscript.Run(t, testscript.Params{
		Dir: "testdata", Setup: setUpScript, Cmds: commands, RequireUniqueNames: true,
	})
}

// labKey is where a script has its lab.
type labKey struct{}

// setUpScript makes the folder of the script a git repository.
func setUpScript(env *testscript.Env) error {
	l := newLabIn(env.T().(testing.TB), env.WorkDir)
	env.Values[labKey{}] = l
	ignored := strings.Join([]string{"/.tmp/", "/bucket/", "/parent/", "/registry/"}, "\n")
	if err := l.repo.Write(".git/info/exclude", ignored+"\n"); err != nil {
		return err
	}
	env.Vars = append(env.Vars, l.packer.Environ()...)
	env.Vars = append(env.Vars, l.repo.Environ()...)
	for name, dir := range map[string]string{
		"EXAMPLE": filepath.Join(root, "example"), "TEMPLATES": "testdata/templates",
	} {
		path, err := filepath.Abs(dir)
		if err != nil {
			return err
		}
		env.Setenv(name, path)
	}
	return nil
}
