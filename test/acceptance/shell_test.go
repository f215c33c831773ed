// SPDX-License-Identifier: MPL-2.0

package acceptance

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/packer-chain/packer-plugin-chain/test/lab/program"
)

// shellBlock is a block of commands of a page.
var shellBlock = regexp.MustCompile("(?ms)^```sh\n(.*?)^```$")

// needAWSCommand skips a test of commands where the command line of AWS is missing.
func needAWSCommand(t *testing.T) {
	t.Helper()
	if _, err := exec.LookPath("aws"); err != nil {
		t.Skip("the command line of AWS is missing: install awscli")
	}
}

// configureAWSCommand is for the command line of AWS, which takes an empty AWS_PROFILE for a name.
func (l *lab) configureAWSCommand() {
	l.t.Helper()
	config := filepath.Join(l.t.TempDir(), "config")
	l.check(os.WriteFile(config, []byte("[default]\n"), 0o600))
	l.packer = l.packer.With("AWS_CONFIG_FILE="+config, "AWS_PROFILE=default", "AWS_PAGER=")
}

// commandsOf are the commands of a part of a page.
func commandsOf(text string) string {
	var commands strings.Builder
	for _, match := range shellBlock.FindAllStringSubmatch(text, -1) {
		commands.WriteString(match[1])
	}
	return commands.String()
}

// shell runs a script as a reader would, in the account, and returns what it prints.
func (l *lab) shell(script string) string {
	l.t.Helper()
	out, problems, err := l.tryShell(script)
	if err != nil {
		l.t.Fatalf("%s\n%v\n%s%s", script, err, out, problems)
	}
	return out
}

// tryShell is [lab.shell] for a script that may fail.
func (l *lab) tryShell(script string) (out, problems string, err error) {
	l.t.Helper()
	gojq, err := program.Path("gojq")
	l.check(err)
	bin := l.t.TempDir()
	l.check(os.Symlink(gojq, filepath.Join(bin, "jq")))
	cmd := exec.CommandContext(l.t.Context(), "bash", "-euo", "pipefail", "-c", script)
	cmd.Dir = l.repo.Dir
	cmd.Env = append(l.packer.Environ(), "PATH="+bin+string(os.PathListSeparator)+os.Getenv("PATH"),
		"TMPDIR="+l.t.TempDir())
	var stderr strings.Builder
	cmd.Stderr = &stderr
	stdout, err := cmd.Output()
	return string(stdout), stderr.String(), err
}
