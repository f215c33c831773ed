// SPDX-License-Identifier: MPL-2.0

package image

import (
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
)

// TestIdentify_notChanged has files whose text nobody has changed. The advice was to commit them.
func TestIdentify_notChanged(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("Windows has no modes")
	}
	for name, tt := range map[string]struct {
		change func(t *testing.T, dir string)
		want   []string
	}{
		"mode": {func(t *testing.T, dir string) { chmod(t, dir, "app/b.sh") }, []string{"app/b.sh (mode)", modeRemedy}},
		"line ends": {func(t *testing.T, dir string) { write(t, dir, map[string]string{"app/a.sh": "1\r\n2\r\n"}) },
			[]string{"app/a.sh (line ends)", lineEndsRemedy}},
		"both": {func(t *testing.T, dir string) {
			write(t, dir, map[string]string{"app/a.sh": "1\r\n2\r\n"})
			chmod(t, dir, "app/a.sh")
		}, []string{"app/a.sh (line ends, mode)", modeRemedy + "\n\n" + lineEndsRemedy}},
		"stored otherwise": {func(t *testing.T, dir string) {
			write(t, dir, map[string]string{".gitattributes": "*.crlf text\n"})
			chmod(t, dir, "app/c.crlf")
		}, []string{"app/c.crlf (as in git, but to be stored otherwise, mode)", modeRemedy + "\n\n" + storedRemedy}},
		"filter": {func(t *testing.T, dir string) { write(t, dir, map[string]string{"app/d.bin": "big"}) },
			[]string{"app/d.bin (filter lfs)", filterRemedy}},
		"changed too": {func(t *testing.T, dir string) {
			write(t, dir, map[string]string{"app/a.sh": "other"})
			chmod(t, dir, "app/b.sh")
		}, []string{"app/a.sh\n  app/b.sh (mode)", changedRemedy + "\n\n" + modeRemedy}},
		"mode and text": {func(t *testing.T, dir string) {
			write(t, dir, map[string]string{"app/a.sh": "other"})
			chmod(t, dir, "app/a.sh")
		}, []string{"app/a.sh", changedRemedy}},
	} {
		t.Run(name, func(t *testing.T) {
			dir := newRepo(t, map[string]string{
				"app/a.sh": "1\n2\n", "app/b.sh": "1\n", "app/c.crlf": "1\r\n", "app/d.bin": "pointer", "app/.gitattributes": "*.bin filter=lfs\n",
			})
			tt.change(t, dir)
			want := "path has files in " + dir + " that are not committed:\n\n  " + tt.want[0] + "\n\n" + tt.want[1]
			_, err := identify(t.Context(), prepared(t, nil), noEnv)
			if err == nil || err.Error() != want {
				t.Errorf("got %v, want %s", err, want)
			}
		})
	}
}

// TestIdentify_credentials has a file that CI has put into the checkout. The advice began with
// "Commit them".
func TestIdentify_credentials(t *testing.T) {
	const secret = "Do not commit what looks like credentials: "
	for name, tt := range map[string]struct {
		files map[string]string
		want  string
	}{
		"alone": {map[string]string{"app/gha-creds-01ab.json": "{}"},
			secret + "app/gha-creds-01ab.json. Add to .gitignore: gha-creds-*.json"},
		"with others": {map[string]string{"app/gha-creds-01ab.json": "{}", "app/.env": "x", "app/new.sh": "x"},
			secret + "app/.env, app/gha-creds-01ab.json. Add to .gitignore: .env, gha-creds-*.json\n\n" + newRemedy},
		"with a change": {map[string]string{"app/site.key": "x", "app/app.pkr.hcl": "x"},
			secret + "app/site.key. Add to .gitignore: *.key\n\n" + changedRemedy},
		"committed before": {map[string]string{"app/ca.key": "other"}, changedRemedy},
	} {
		t.Run(name, func(t *testing.T) {
			newRepo(t, map[string]string{"app/app.pkr.hcl": "1", "app/ca.key": "1"})
			write(t, ".", tt.files)
			_, err := identify(t.Context(), prepared(t, nil), noEnv)
			if err == nil || !strings.HasSuffix(err.Error(), "\n\n"+tt.want) {
				t.Errorf("got %v, want %s", err, tt.want)
			}
		})
	}
}

// chmod makes a file executable.
func chmod(t *testing.T, dir, name string) {
	t.Helper()
	if err := os.Chmod(filepath.Join(dir, filepath.FromSlash(name)), 0o755); err != nil {
		t.Fatal(err)
	}
}
