// SPDX-License-Identifier: MPL-2.0

package tasks

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"
)

const example = "../../example"

// tasks are the scripts of a template, in its order.
func tasks(t *testing.T, image string) []string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(example, image, image+".pkr.hcl"))
	if err != nil {
		t.Fatal(err)
	}
	var paths []string
	pattern := regexp.MustCompile(`"\$\{path\.root\}/(tasks/[\w-]+\.sh)"`)
	for _, match := range pattern.FindAllStringSubmatch(string(text), -1) {
		paths = append(paths, filepath.Join(example, image, match[1]))
	}
	files, err := filepath.Glob(filepath.Join(example, image, "tasks", "*"))
	if err != nil || len(files) != len(paths) || len(files) == 0 {
		t.Fatalf("the template of %s runs %v, the folder has %v (%v)", image, paths, files, err)
	}
	return paths
}

// TestTasks runs what the templates of the base and of the snowflake run, in their order, and then
// all of it again, which has nothing more to do. The first time, something else, such as cloud-init
// or a timer, holds the locks of apt: the scripts wait until it is done.
func TestTasks(t *testing.T) {
	r := newRoot(t)
	r.prints("ln -sfn /usr/share/zoneinfo/Europe/Berlin /etc/localtime && echo Europe/Berlin >/etc/timezone")
	base, snowflake := tasks(t, "base"), tasks(t, "snowflake")

	locks := map[string]lock{
		"apt.sh":       {"var/lib/apt/lists/lock", "Could not get lock"},
		"time-zone.sh": {"var/lib/dpkg/lock-frontend", "Waiting for cache lock"},
	}
	for _, script := range base {
		name := filepath.Base(script)
		if held, ok := locks[name]; ok {
			r.runLocked(script, held)
			delete(locks, name)
			continue
		}
		r.run(script)
	}
	if len(locks) > 0 {
		t.Errorf("no script has met %v", locks)
	}
	for command, want := range map[string]string{
		"readlink /etc/localtime": "/usr/share/zoneinfo/Etc/UTC",
		"date +%Z":                "UTC",
		"cat /etc/timezone":       "Etc/UTC",
		"dpkg-query -W -f '${Status}' ca-certificates":           "install ok installed",
		"apt-config shell X DPkg::Lock::Timeout":                 "X='600'",
		"locale -a | grep -c en_US.utf8":                         "1",
		"grep -h ^LANG /etc/default/locale":                      "LANG=en_US.UTF-8",
		"LC_ALL=en_US.UTF-8 locale charmap":                      "UTF-8",
		"apt-get -s dist-upgrade | grep -c ^Inst || true":        "0",
		"find /var/cache/apt/archives -name '*.deb' | wc -l":     "0",
		"apt-get -s autoremove | grep -c ^Remv || true":          "0",
		"apt-get check >/dev/null && dpkg --audit && echo sound": "sound",
	} {
		if got := r.prints(command); got != want {
			t.Errorf("after the base, %s prints %q, want %q", command, got, want)
		}
	}

	r.prints("apt-get update")
	major := r.prints("apt-cache policy docker.io | sed -n 's/ *Candidate: \\([0-9]*\\).*/\\1/p'")
	for _, script := range snowflake {
		r.run(script, "DOCKER_VERSION="+major)
	}
	if got := r.prints("docker --version"); !strings.Contains(got, " "+major+".") {
		t.Errorf("docker --version prints %q, want version %s", got, major)
	}
	r.prints("test -L /etc/systemd/system/multi-user.target.wants/docker.service")

	before := r.state()
	for _, script := range base {
		r.run(script)
	}
	for _, script := range snowflake {
		r.run(script, "DOCKER_VERSION="+major)
	}
	differ(t, before, r.state())
}

// run runs a script in the system, as Packer does. Variables are KEY=value.
func (r root) run(script string, variables ...string) {
	r.t.Helper()
	r.watched(script, func(string) {}, variables...)
}

// lock is a file that apt locks, and what a script says that finds it locked.
type lock struct{ file, says string }

// runLocked runs a script while a file is locked. The lock is released when the script says that it
// found it.
func (r root) runLocked(script string, held lock) {
	r.t.Helper()
	unlock := r.lock(held.file)
	said := false
	r.watched(script, func(line string) {
		if strings.Contains(line, held.says) {
			said = true
			unlock()
		}
	})
	if !said {
		r.t.Errorf("%s does not wait for %s", script, held.file)
	}
	unlock()
}

func (r root) watched(script string, watch func(string), variables ...string) {
	r.t.Helper()
	text, err := os.ReadFile(script)
	if err != nil {
		r.t.Fatal(err)
	}
	r.write("tmp/script.sh", string(text))
	const run = `exec env "$@" bash /tmp/script.sh`
	start := time.Now()
	out, err := r.bash(watch, append([]string{"-c", run, "bash"}, variables...)...)
	if err != nil {
		r.t.Fatalf("%s: %v\n%s", script, err, out)
	}
	r.t.Logf("%s: %.1f s", filepath.Base(script), time.Since(start).Seconds())
}

// state is what another run of the scripts must leave as it is: the files of /etc, the packages and
// the locales.
func (r root) state() string {
	r.t.Helper()
	return r.prints(`find /etc -type f -exec sha256sum {} + | sort -k 2
		find /etc -printf '%M %U:%G %p %l\n' | sort -k 3
		dpkg-query -W -f '${Package} ${Version} ${Status}\n'
		apt-mark showmanual
		locale -a`)
}

// differ reports the lines that only one of two texts has.
func differ(t *testing.T, before, after string) {
	t.Helper()
	lines := map[string]int{}
	for line := range strings.Lines(before + "\n") {
		lines[line]++
	}
	for line := range strings.Lines(after + "\n") {
		lines[line]--
	}
	for line, n := range lines {
		switch {
		case n > 0:
			t.Errorf("the second run has taken away: %s", line)
		case n < 0:
			t.Errorf("the second run has added: %s", line)
		}
	}
}
