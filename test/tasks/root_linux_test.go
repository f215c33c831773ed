// SPDX-License-Identifier: MPL-2.0

package tasks

import (
	"bufio"
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// root is the folder of a small system, in which programs run as root.
type root struct {
	t   testing.TB
	dir string
}

// newRoot makes a system. It skips the test, with the reason, if this machine cannot.
func newRoot(t testing.TB) root {
	t.Helper()
	if os.Getenv("PACKER_ACC") == "" {
		t.Skip("PACKER_ACC is not set: make test sets it")
	}
	if reason := cannot(t.TempDir()); reason != "" {
		t.Skip("no script is run: " + reason)
	}
	archives, release := archives(t)
	packed := cached(t, archives[0], release)
	r := root{t, filepath.Join(t.TempDir(), "root")}
	if err := os.Mkdir(r.dir, 0o755); err != nil {
		t.Fatal(err)
	}
	command(t, "tar", "-C", r.dir, "-xpf", packed)
	r.write("etc/apt/sources.list", "deb "+strings.Join(archives, "\ndeb ")+"\n")
	// As in the images of containers: nothing is started, and no write is waited for.
	r.write("usr/sbin/policy-rc.d", "#!/bin/sh\nexit 101\n")
	r.write("etc/dpkg/dpkg.cfg.d/unsafe-io", "force-unsafe-io\n")
	resolver, err := os.ReadFile("/etc/resolv.conf")
	if err != nil {
		t.Fatal(err)
	}
	r.write("etc/resolv.conf", string(resolver))
	return r
}

// cannot returns why no system can be made on this machine, or "".
func cannot(dir string) string {
	if os.Getuid() != 0 {
		return "only root can run a program in a chroot"
	}
	if _, err := exec.LookPath("debootstrap"); err != nil {
		return "debootstrap is missing: install it with apt-get"
	}
	// Containers without privileges have a root that may make no devices.
	null := filepath.Join(dir, "null")
	const writable, device = syscall.S_IFCHR | 0o666, 1<<8 | 3
	err := syscall.Mknod(null, writable, device)
	if err == nil {
		err = os.WriteFile(null, []byte("x"), 0)
	}
	if err != nil {
		return "this root may not make devices: " + err.Error()
	}
	return ""
}

// archives returns the archives of packages that this machine's apt has for its distribution, as in
// a line of sources.list, that of the release first; and the name of the release.
func archives(t testing.TB) (all []string, release string) {
	t.Helper()
	about, err := os.ReadFile("/etc/os-release")
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(about)) {
		if name, ok := strings.CutPrefix(strings.TrimSpace(line), "VERSION_CODENAME="); ok {
			release = name
		}
	}
	const format = "$(REPO_URI) $(RELEASE) $(COMPONENT)"
	seen := map[string]bool{}
	out := command(t, "apt-get", "indextargets", "--format", format, "Created-By: Packages")
	for line := range strings.Lines(out) {
		fields := strings.Fields(line)
		if len(fields) != 3 || seen[line] || release == "" ||
			!strings.HasPrefix(fields[1]+"-", release+"-") {
			continue
		}
		seen[line] = true
		archive := strings.Join(fields, " ")
		if fields[1] == release && fields[2] == "main" {
			all = append([]string{archive}, all...)
		} else {
			all = append(all, archive)
		}
	}
	if len(all) == 0 || !strings.HasSuffix(all[0], " "+release+" main") {
		t.Skipf("no script is run: apt knows no archive of %q", release)
	}
	return all, release
}

// cached returns a tar file of a system, which stays in the folder where make keeps the tools.
func cached(t testing.TB, archive, release string) string {
	t.Helper()
	folder := os.Getenv("CHAIN_CACHE")
	if folder == "" {
		user, err := os.UserCacheDir()
		if err != nil {
			t.Fatal(err)
		}
		folder = filepath.Join(user, "packer-plugin-chain")
	}
	name := fmt.Sprintf("root-%s-%.4x.tar", release, sha256.Sum256([]byte(archive)))
	path := filepath.Join(folder, name)
	if _, err := os.Stat(path); !errors.Is(err, fs.ErrNotExist) {
		return path
	}
	if err := os.MkdirAll(folder, 0o755); err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	mirror, _, _ := strings.Cut(archive, " ")
	// What debootstrap mounts ends with its namespace, also if it fails.
	command(t, "unshare", "--mount",
		"debootstrap", "--variant=minbase", release, filepath.Join(dir, "root"), mirror)
	temp, err := os.CreateTemp(folder, name+"-")
	if err != nil {
		t.Fatal(err)
	}
	defer os.Remove(temp.Name())
	command(t, "tar", "-C", filepath.Join(dir, "root"), "-cf", temp.Name(), ".")
	if err := errors.Join(temp.Close(), os.Rename(temp.Name(), path)); err != nil {
		t.Fatal(err)
	}
	return path
}

// command runs a program of this machine, and returns what it prints.
func command(t testing.TB, name string, args ...string) string {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), name, args...).CombinedOutput()
	if err != nil {
		t.Fatalf("%s %s: %v\n%s", name, strings.Join(args, " "), err, out)
	}
	return string(out)
}

func (r root) write(name, text string) {
	r.t.Helper()
	if err := os.WriteFile(filepath.Join(r.dir, name), []byte(text), 0o755); err != nil {
		r.t.Fatal(err)
	}
}

// bash runs bash in the system, with nothing to read from, and returns what it prints. Each line is
// also given to watch.
func (r root) bash(watch func(line string), args ...string) (string, error) {
	cmd := exec.CommandContext(r.t.Context(), "/bin/bash", args...)
	cmd.Dir, cmd.SysProcAttr = "/", &syscall.SysProcAttr{Chroot: r.dir}
	cmd.Env = []string{"PATH=/usr/sbin:/usr/bin:/sbin:/bin", "HOME=/root", "LC_ALL=C"}
	for _, variable := range os.Environ() {
		if name, _, _ := strings.Cut(variable, "="); strings.HasSuffix(strings.ToLower(name), "_proxy") {
			cmd.Env = append(cmd.Env, variable)
		}
	}
	pipe, err := cmd.StdoutPipe()
	if err != nil {
		return "", err
	}
	cmd.Stderr = cmd.Stdout
	if err := cmd.Start(); err != nil {
		return "", err
	}
	var out strings.Builder
	for lines := bufio.NewScanner(pipe); lines.Scan(); {
		watch(lines.Text())
		fmt.Fprintln(&out, lines.Text())
	}
	return out.String(), cmd.Wait()
}

// prints returns what a command prints in the system.
func (r root) prints(command string) string {
	r.t.Helper()
	out, err := r.bash(func(string) {}, "-c", command)
	if err != nil {
		r.t.Fatalf("%s: %v\n%s", command, err, out)
	}
	return strings.TrimSpace(out)
}

// lock locks a file as apt does. It returns how to unlock it.
func (r root) lock(name string) (unlock func()) {
	r.t.Helper()
	file, err := os.OpenFile(filepath.Join(r.dir, name), os.O_RDWR|os.O_CREATE, 0o640)
	if err == nil {
		err = syscall.FcntlFlock(file.Fd(), syscall.F_SETLK, &syscall.Flock_t{Type: syscall.F_WRLCK})
	}
	if err != nil {
		r.t.Fatalf("lock %s: %v", name, err)
	}
	return func() { _ = file.Close() }
}
