// SPDX-License-Identifier: MPL-2.0

package acceptance

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/packer-chain/packer-plugin-chain/test/lab/emulator"
	"github.com/packer-chain/packer-plugin-chain/test/lab/program"
)

type command = func(ts *testscript.TestScript, neg bool, args []string)

// commands are what scripts have beside the commands of testscript. README.md describes each.
var commands = map[string]command{
	"aws":       usage("aws tag|deregister AMI [KEY=VALUE]", 2, 3, console),
	"commit":    usage("commit MESSAGE", 1, 1, commit),
	"deprecate": usage("deprecate AMI", 1, 1, deprecate),
	"edit":      usage("edit FILE OLD NEW", 3, 3, edit),
	"hide":      usage("hide AMI N", 2, 2, hide),
	"images":    usage("images REGION N", 2, 2, images),
	"job":       usage("job BRANCH|REF|none [COMMIT]", 1, 2, job),
	"json":      readJSON,
	"launched":  usage("launched N", 1, 1, launched),
	"packer":    runPacker,
	"parameter": usage("parameter REGION NAME VALUE [ACCOUNT]", 3, 4, parameter),
	"parent":    parent,
	"prints":    prints,
	"registry":  usage("registry WHAT", 1, 1, registry),
	"set":       usage("set NAME PATTERN", 2, 2, set),
	"shared":    shared,
	"state":     usage("state REGION AMI STATE", 3, 3, state),
	"tags":      tags,
}

// usage is for a command that takes so many arguments, and no "!".
func usage(
	text string, least, most int, run func(*testscript.TestScript, *lab, []string) error,
) command {
	return func(ts *testscript.TestScript, neg bool, args []string) {
		if neg || len(args) < least || len(args) > most {
			ts.Fatalf("usage: %s", text)
		}
		ts.Check(run(ts, labOf(ts), args))
	}
}

func labOf(ts *testscript.TestScript) *lab { return ts.Value(labKey{}).(*lab) }

func commit(ts *testscript.TestScript, l *lab, args []string) error {
	_, err := l.repo.Commit(l.t.Context(), args[0])
	for _, variable := range l.repo.Environ() {
		name, value, _ := strings.Cut(variable, "=")
		ts.Setenv(name, value)
	}
	return err
}

// edit replaces a text of a file. "\n" in the new one is a line break.
func edit(ts *testscript.TestScript, _ *lab, args []string) error {
	text := ts.ReadFile(args[0])
	if n := strings.Count(text, args[1]); n != 1 {
		return fmt.Errorf("%s has %q %d times, want once", args[0], args[1], n)
	}
	text = strings.Replace(text, args[1], strings.ReplaceAll(args[2], `\n`, "\n"), 1)
	return os.WriteFile(ts.MkAbs(args[0]), []byte(text), 0o644)
}

// job makes what follows a job of GitHub Actions for a branch or another ref: HEAD is detached, at
// a commit or where it was. "none" makes it a laptop on main again.
func job(ts *testscript.TestScript, l *lab, args []string) error {
	ref, event, head := args[0], "push", ""
	switch {
	case strings.HasPrefix(ref, "refs/pull/"):
		event, head = "pull_request", "fix"
	case strings.HasPrefix(ref, "gh-readonly-queue/"):
		event = "merge_group"
	}
	if !strings.HasPrefix(ref, "refs/") {
		ref = "refs/heads/" + ref
	}
	variables := map[string]string{
		"GITHUB_ACTIONS": "true", "GITHUB_REF": ref, "GITHUB_EVENT_NAME": event,
		"GITHUB_HEAD_REF": head,
	}
	checkout := []string{"checkout", "--quiet", "--detach"}
	if args[0] == "none" {
		checkout = []string{"checkout", "--quiet", "main"}
		for name := range variables {
			variables[name] = ""
		}
	}
	_, err := l.repo.Git(l.t.Context(), append(checkout, args[1:]...)...)
	if err != nil {
		return err
	}
	commit, err := l.repo.Git(l.t.Context(), "rev-parse", "HEAD")
	ts.Setenv("GITHUB_SHA", commit)
	for name, value := range variables {
		ts.Setenv(name, value)
	}
	return err
}

var packerPath = sync.OnceValues(func() (string, error) {
	return program.Path("packer")
})

// runPacker runs packer in the folder that is the last argument, and copies the bucket afterwards.
func runPacker(ts *testscript.TestScript, neg bool, args []string) {
	if len(args) < 2 {
		ts.Fatalf("usage: [!] packer COMMAND [OPTION...] FOLDER")
	}
	l := labOf(ts)
	path, err := packerPath()
	ts.Check(err)
	back := ts.MkAbs(".")
	ts.Check(ts.Chdir(args[len(args)-1]))
	args[len(args)-1] = "."
	err = ts.Exec(path, args...)
	ts.Check(ts.Chdir(back))
	ts.Check(l.copyBucket())
	var exit *exec.ExitError
	switch {
	case neg && err == nil:
		ts.Fatalf("packer %s succeeded", args[0])
	case neg && errors.As(err, &exit) && exit.ExitCode() == 1:
	default:
		ts.Check(err)
	}
}

// copyBucket makes the folder "bucket" of a script what the bucket holds.
func (l *lab) copyBucket() error {
	dir := filepath.Join(l.repo.Dir, "bucket")
	if err := os.RemoveAll(dir); err != nil {
		return err
	}
	objects, err := l.aws.Objects(l.t.Context(), bucket)
	if err != nil {
		return err
	}
	for key, body := range objects {
		if err := l.repo.Write(filepath.Join("bucket", key), string(body)); err != nil {
			return err
		}
	}
	return nil
}

// parent prints what data "chain" finds with the arguments as its options.
func parent(ts *testscript.TestScript, neg bool, args []string) {
	template := ts.ReadFile(filepath.Join(ts.Getenv("TEMPLATES"), "parent.pkr.hcl"))
	template = strings.Replace(template, "# parent options", strings.Join(args, "\n  "), 1)
	ts.Check(labOf(ts).repo.Write("parent/parent.pkr.hcl", template))
	name, only, _ := strings.Cut(withoutAmazon(), "=")
	all := ts.Getenv(name)
	ts.Setenv(name, only)
	runPacker(ts, neg, []string{"build", "parent"})
	ts.Setenv(name, all)
}

// prints wants each text in what the last command printed, or with "!" none of them. Line breaks
// count as spaces, as Packer breaks long lines.
func prints(ts *testscript.TestScript, neg bool, texts []string) {
	output := ts.ReadFile("stdout") + ts.ReadFile("stderr")
	for _, text := range texts {
		if contains(output, text) == neg {
			ts.Fatalf("want %q printed: %t", text, !neg)
		}
	}
}

// readJSON wants a value in a document, and prints it: any value, or the one that is given; with
// "!" none, or another one. After "->" comes the name of the variable that keeps it.
func readJSON(ts *testscript.TestScript, neg bool, args []string) {
	name := ""
	if len(args) == 4 && args[2] == "->" {
		name, args = args[3], args[:2]
	}
	if len(args) < 2 || len(args) > 3 {
		ts.Fatalf("usage: [!] json FILE PATH [VALUE | -> NAME]")
	}
	var document any
	decoder := json.NewDecoder(strings.NewReader(ts.ReadFile(args[0])))
	decoder.UseNumber()
	ts.Check(decoder.Decode(&document))
	value := lookUp(document, args[1])
	fmt.Fprintln(ts.Stdout(), value)
	matches := value != ""
	if len(args) == 3 {
		matches = value == args[2]
	}
	if matches == neg {
		ts.Fatalf("%s of %s is %q", args[1], args[0], value)
	}
	if name != "" {
		ts.Setenv(name, value)
	}
}

// lookUp finds a value by the names of objects and the indexes of lists on the way to it, with dots
// between them. Names may hold dots too. A list or object is printed as JSON; what does not exist,
// or is empty, as nothing.
func lookUp(value any, path string) string {
	switch value := value.(type) {
	case string:
		if path == "" {
			return value
		}
	case map[string]any:
		if below, ok := value[path]; ok && path != "" {
			return lookUp(below, "")
		}
		for name, below := range value {
			if rest, ok := strings.CutPrefix(path, name+"."); ok {
				return lookUp(below, rest)
			}
		}
	case []any:
		first, rest, _ := strings.Cut(path, ".")
		i, err := strconv.Atoi(first)
		if i < 0 {
			i += len(value)
		}
		if err == nil && i >= 0 && i < len(value) {
			return lookUp(value[i], rest)
		}
	}
	text, err := json.Marshal(value)
	if s := string(text); err == nil && path == "" && s != "null" && s != "[]" && s != "{}" {
		return s
	}
	return ""
}

// set keeps what a pattern finds in the output of the last command: its last group, or all of it.
func set(ts *testscript.TestScript, _ *lab, args []string) error {
	pattern, err := regexp.Compile("(?m)" + args[1])
	if err != nil {
		return err
	}
	found := pattern.FindStringSubmatch(ts.ReadFile("stdout"))
	if found == nil {
		return fmt.Errorf("stdout has no %s", args[1])
	}
	ts.Setenv(args[0], found[len(found)-1])
	return nil
}

// registry makes the registry fail in a way: for the post-processor of the template "ami" only.
func registry(ts *testscript.TestScript, l *lab, args []string) error {
	endpoint := ""
	switch args[0] {
	case "well":
		endpoint = l.aws.Endpoint
	case "away":
		endpoint = deadEndpoint
	case "read-only":
		endpoint = readOnly(l.t, l.aws.Endpoint)
	case "denying":
		endpoint = refusing(l.t, http.StatusForbidden, "AccessDenied")
	case "failing":
		endpoint = refusing(l.t, http.StatusInternalServerError, "InternalError")
	case "hanging":
		endpoint, _ = stuck(l.t, l.aws.Endpoint, false, anyRequest)
	case "hanging-on-pointers":
		endpoint, _ = stuck(l.t, l.aws.Endpoint, false, putTo("/channels/", "/lines/"))
	default:
		return fmt.Errorf("a registry is well, away, read-only, denying, failing, hanging "+
			"or hanging-on-pointers, not %s", args[0])
	}
	ts.Setenv("PKR_VAR_endpoint", endpoint)
	return nil
}

func images(_ *testscript.TestScript, l *lab, args []string) error {
	found, err := l.aws.Images(l.t.Context(), args[0])
	if err == nil && strconv.Itoa(len(found)) != args[1] {
		err = fmt.Errorf("%s has %d images, want %s", args[0], len(found), args[1])
	}
	return err
}

func launched(_ *testscript.TestScript, l *lab, args []string) error {
	n, err := l.aws.Launched(l.t.Context(), region)
	if err == nil && strconv.Itoa(n) != args[0] {
		err = fmt.Errorf("%d instances were launched, want %s", n, args[0])
	}
	return err
}

func parameter(_ *testscript.TestScript, l *lab, args []string) error {
	value, err := l.aws.Parameter(l.t.Context(), args[0], args[1], args[3:]...)
	if err == nil && value != args[2] {
		err = fmt.Errorf("parameter %s in %s is %q, want %s", args[1], args[0], value, args[2])
	}
	return err
}

// shared wants an account or an organization to be able to launch an AMI; with "!" not to.
func shared(ts *testscript.TestScript, neg bool, args []string) {
	if len(args) != 3 {
		ts.Fatalf("usage: [!] shared REGION AMI ACCOUNT|ORGANIZATION")
	}
	l := labOf(ts)
	with, err := l.aws.SharedWith(l.t.Context(), args[0], args[1])
	ts.Check(err)
	if slices.Contains(with, args[2]) == neg {
		ts.Fatalf("%s in %s is shared with %v", args[1], args[0], with)
	}
}

func state(_ *testscript.TestScript, l *lab, args []string) error {
	state, err := l.aws.State(l.t.Context(), args[0], args[1])
	if err == nil && state != args[2] {
		err = fmt.Errorf("%s in %s is %s, want %s", args[1], args[0], state, args[2])
	}
	return err
}

// console does what someone does in the console of AWS.
func console(_ *testscript.TestScript, l *lab, args []string) error {
	switch {
	case args[0] == "deregister" && len(args) == 2:
		return l.aws.Deregister(l.t.Context(), region, args[1])
	case args[0] == "tag" && len(args) == 3:
		key, value, _ := strings.Cut(args[2], "=")
		return l.aws.Tag(l.t.Context(), region, args[1], key, value)
	}
	return fmt.Errorf("aws knows tag AMI KEY=VALUE and deregister AMI, not %v", args)
}

// tags wants tags on an AMI and on each of its snapshots: any value, or the one that is given. With
// "!" it wants none of them.
func tags(ts *testscript.TestScript, neg bool, args []string) {
	if len(args) < 2 {
		ts.Fatalf("usage: [!] tags AMI KEY[=VALUE]...")
	}
	l := labOf(ts)
	all := slices.Concat(l.images(region), l.images(copyRegion))
	i := slices.IndexFunc(all, func(image emulator.Image) bool { return image.ID == args[0] })
	if i < 0 || len(all[i].Snapshots) == 0 {
		ts.Fatalf("%s does not exist, or has no snapshot: %v", args[0], all)
	}
	on := map[string]map[string]string{args[0]: all[i].Tags}
	maps.Copy(on, all[i].Snapshots)
	for id, tags := range on {
		for _, want := range args[1:] {
			key, value, exact := strings.Cut(want, "=")
			has := tags[key] != "" && (!exact || tags[key] == value)
			if has == neg {
				ts.Fatalf("%s has %s=%q; all are %v", id, key, tags[key], tags)
			}
		}
	}
}
