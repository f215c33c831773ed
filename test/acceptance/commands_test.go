// SPDX-License-Identifier: MPL-2.0

package acceptance

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/packer-chain/packer-plugin-chain/test/lab/emulator"
	"github.com/packer-chain/packer-plugin-chain/test/lab/toolbox"
)

type command = func(ts *testscript.TestScript, neg bool, args []string)

// commands are what scripts have beside the commands of testscript. README.md describes each.
var commands = map[string]command{
	"commit":     usage(1, "commit MESSAGE", commit),
	"deregister": usage(1, "deregister AMI", deregister),
	"edit":       usage(3, "edit FILE OLD NEW", edit),
	"images":     usage(2, "images REGION N", images),
	"json":       readJSON,
	"launched":   usage(1, "launched N", launched),
	"packer":     runPacker,
	"parent":     parent,
	"registry":   usage(1, "registry WHAT", registry),
	"set":        usage(2, "set NAME PATTERN", set),
	"tag":        usage(2, "tag AMI KEY=VALUE", tag),
	"tags":       tags,
}

// usage is for a command that takes n arguments and no "!".
func usage(n int, text string, run func(*testscript.TestScript, *lab, []string) error) command {
	return func(ts *testscript.TestScript, neg bool, args []string) {
		if neg || len(args) != n {
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

func edit(ts *testscript.TestScript, _ *lab, args []string) error {
	text := ts.ReadFile(args[0])
	if n := strings.Count(text, args[1]); n != 1 {
		return fmt.Errorf("%s has %q %d times, want once", args[0], args[1], n)
	}
	text = strings.Replace(text, args[1], args[2], 1)
	return os.WriteFile(ts.MkAbs(args[0]), []byte(text), 0o644)
}

// wrapped is a line break that Packer put into a long error.
var wrapped = regexp.MustCompile(`([^\n])\n([^\s=-])`)

// runPacker runs packer in the folder that is the last argument, and copies the bucket afterwards.
func runPacker(ts *testscript.TestScript, neg bool, args []string) {
	if len(args) < 2 {
		ts.Fatalf("usage: [!] packer COMMAND [OPTION...] FOLDER")
	}
	l := labOf(ts)
	bin, err := toolbox.Path(l.t.Context(), "packer")
	ts.Check(err)
	back := ts.MkAbs(".")
	ts.Check(ts.Chdir(args[len(args)-1]))
	args[len(args)-1] = "."
	err = ts.Exec(bin, args...)
	ts.Check(ts.Chdir(back))
	output := ts.ReadFile("stdout") + ts.ReadFile("stderr")
	if joined := wrapped.ReplaceAllString(output, "$1 $2"); joined != output {
		fmt.Fprint(ts.Stdout(), joined)
	}
	ts.Check(l.copyBucket())
	code, want := 0, 0
	if neg {
		want = 1
	}
	if exit := (*exec.ExitError)(nil); errors.As(err, &exit) {
		code = exit.ExitCode()
	} else {
		ts.Check(err)
	}
	if code != want {
		ts.Fatalf("packer %s: exit code %d, want %d", args[0], code, want)
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

// readJSON prints a value of a document. With a value it wants that one, or any other with "!"; with "!"
// alone it wants none.
func readJSON(ts *testscript.TestScript, neg bool, args []string) {
	if len(args) < 2 || len(args) > 3 {
		ts.Fatalf("usage: [!] json FILE PATH [VALUE]")
	}
	var document any
	decoder := json.NewDecoder(strings.NewReader(ts.ReadFile(args[0])))
	decoder.UseNumber()
	ts.Check(decoder.Decode(&document))
	value := lookUp(document, args[1])
	fmt.Fprintln(ts.Stdout(), value)
	switch {
	case len(args) == 3 && (value == args[2]) == neg:
		ts.Fatalf("%s of %s is %s", args[1], args[0], value)
	case len(args) == 2 && (value != "") == neg:
		ts.Fatalf("%s of %s is %q", args[1], args[0], value)
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
	case "denying":
		endpoint = refusing(l.t, http.StatusForbidden, "AccessDenied")
	case "failing":
		endpoint = refusing(l.t, http.StatusInternalServerError, "InternalError")
	case "hanging":
		endpoint, _ = stuck(l.t, l.aws.Endpoint, false, anyRequest)
	case "hanging-on-refs":
		endpoint, _ = stuck(l.t, l.aws.Endpoint, false, putTo("/refs/"))
	default:
		return fmt.Errorf("a registry is well, away, denying, failing, hanging or "+
			"hanging-on-refs, not %s", args[0])
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

func deregister(_ *testscript.TestScript, l *lab, args []string) error {
	return l.aws.Deregister(l.t.Context(), region, args[0])
}

func tag(_ *testscript.TestScript, l *lab, args []string) error {
	key, value, _ := strings.Cut(args[1], "=")
	return l.aws.Tag(l.t.Context(), region, args[0], key, value)
}

// tags wants tags on an AMI and on each of its snapshots: any value, or the one that is given.
func tags(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: tags AMI KEY[=VALUE]...")
	}
	l := labOf(ts)
	all := slices.Concat(l.images(region), l.images(copyRegion))
	i := slices.IndexFunc(all, func(image emulator.Image) bool { return image.ID == args[0] })
	if i < 0 {
		ts.Fatalf("no region has %s", args[0])
	}
	if len(all[i].Snapshots) == 0 {
		ts.Fatalf("%s has no snapshot", args[0])
	}
	ts.Check(wantTags(args[0], all[i].Tags, args[1:]))
	for id, snapshot := range all[i].Snapshots {
		ts.Check(wantTags(id, snapshot, args[1:]))
	}
}

func wantTags(id string, tags map[string]string, wanted []string) error {
	for _, want := range wanted {
		key, value, exact := strings.Cut(want, "=")
		if tags[key] == "" || exact && tags[key] != value {
			return fmt.Errorf("%s has %s=%q, want %s; all are %v", id, key, tags[key], want, tags)
		}
	}
	return nil
}
