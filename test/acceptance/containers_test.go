// SPDX-License-Identifier: MPL-2.0

package acceptance

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/packer-chain/packer-plugin-chain/test/lab/packercli"
)

// TestAccContainers builds the example's images as containers, with neither AWS nor a region. The
// engine is not real: testdata/engine/docker runs nothing. So this is about who is built on whom;
// test/tasks runs the scripts.
func TestAccContainers(t *testing.T) {
	l := containersLab(t)
	engine, err := filepath.Abs("testdata/engine")
	l.check(err)
	log := filepath.Join(t.TempDir(), "log")
	l.packer = l.packer.With(
		"PATH="+engine+string(filepath.ListSeparator)+os.Getenv("PATH"), "DOCKER_LOG="+log)

	// The child is built on the very container that the base was, and not on a tag.
	base := l.buildContainer("base")
	wantOutput(t, base, "tasks/wait-for-cloud-init.sh", "tasks/apt.sh", "tasks/time-zone.sh",
		"tasks/locale.sh", "tasks/upgrade.sh", "channel latest -> ", "Repository: baseline-ubuntu")
	wantOutput(t, l.buildContainer("snowflake"),
		"--entrypoint=/bin/sh -- "+imageID(t, base.Output), "Repository: snowflake")

	// What is not committed is built too, and each container is built on what is checked out.
	l.write("base/tasks/apt.sh", "#!/bin/sh\n")
	result := wantCode(t, 1, l.build("containers/snowflake"))
	wantOutput(t, result, "not found", "not committed are: base/tasks/apt.sh",
		"Run the packer build of baseline-ubuntu")
	changed := l.buildContainer("base")
	if imageID(t, changed.Output) == imageID(t, base.Output) {
		t.Fatal("the engine gave one id to two containers")
	}
	wantOutput(t, l.buildContainer("snowflake"), "-- "+imageID(t, changed.Output))

	// Each container that was started is gone.
	commands, err := os.ReadFile(log)
	l.check(err)
	started, killed := strings.Count(string(commands), "\nrun "), strings.Count(string(commands), "\nkill ")
	if started != 4 || killed != started {
		t.Errorf("%d containers were started and %d killed, want 4\n%s", started, killed, commands)
	}
}

// TestAccContainers_engine builds them for real where a Docker engine is.
func TestAccContainers_engine(t *testing.T) {
	l := containersLab(t)
	if out, err := exec.CommandContext(t.Context(), "docker", "info").CombinedOutput(); err != nil {
		t.Skipf("nothing is built for real: docker info: %v\n%s", err, out)
	}
	base, snowflake := l.buildContainer("base"), l.buildContainer("snowflake")
	t.Cleanup(func() {
		// Not by the tag, which may have been on another image before.
		for _, output := range []string{snowflake.Output, base.Output} {
			_ = exec.Command("docker", "rmi", "--force", imageID(t, output)).Run()
		}
	})
	for command, want := range map[string]string{
		"date +%Z": "UTC", "locale charmap": "UTF-8", "docker --version": "Docker version 28.",
	} {
		cmd := exec.CommandContext(t.Context(),
			"docker", "run", "--rm", "--entrypoint=", imageID(t, snowflake.Output), "bash", "-c", command)
		out, err := cmd.CombinedOutput()
		if err != nil || !strings.Contains(string(out), want) {
			t.Errorf("%s prints %q (%v), want %s", command, out, err, want)
		}
	}
}

// TestContainers_same checks that the container of an image is provisioned as its AMI is.
func TestContainers_same(t *testing.T) {
	script := regexp.MustCompile(`tasks/[\w-]+\.sh`)
	version := regexp.MustCompile(`(?i)docker_version\s*=\s*"?(\d+)"`)
	for _, image := range []string{"base", "snowflake"} {
		read := func(folder string) (scripts []string, docker string) {
			text, err := os.ReadFile(filepath.Join(root, "example", folder, image+".pkr.hcl"))
			if err != nil {
				t.Fatal(err)
			}
			if match := version.FindSubmatch(text); match != nil {
				docker = string(match[1])
			}
			return script.FindAllString(string(text), -1), docker
		}
		scripts, docker := read(image)
		inContainer, dockerInContainer := read("containers/" + image)
		if !slices.Equal(scripts, inContainer) || docker != dockerInContainer || len(scripts) == 0 {
			t.Errorf("the AMI of %s is provisioned by %v, Docker %q, and the container by %v, Docker %q",
				image, scripts, docker, inContainer, dockerInContainer)
		}
	}
}

// buildContainer runs what the template tells a user to run, and ends the test unless it succeeds.
func (l *lab) buildContainer(image string) packercli.Result {
	l.t.Helper()
	folder := filepath.Join(l.repo.Dir, "containers", image)
	result, err := l.packer.Run(l.t.Context(), folder, "build", "-color=false", "-only=docker.*", ".")
	l.check(err)
	return wantCode(l.t, 0, result)
}

// containersLab has the examples in a repository, and nothing of AWS.
func containersLab(t *testing.T) *lab {
	t.Helper()
	l := offlineLab(t)
	l.packer = l.packer.With(withDocker())
	l.check(l.repo.CopyFrom(filepath.Join(root, "example")))
	l.commit("add the examples")
	return l
}

var committed = regexp.MustCompile(`Image ID: (sha256:[0-9a-f]{64})`)

// imageID is the id of the image that a build has left.
func imageID(t testing.TB, output string) string {
	t.Helper()
	match := committed.FindStringSubmatch(output)
	if match == nil {
		t.Fatalf("no image was committed\n%s", output)
	}
	return match[1]
}
