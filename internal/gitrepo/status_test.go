// SPDX-License-Identifier: MPL-2.0

package gitrepo

import (
	"errors"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/packer-chain/packer-plugin-chain/internal/manifest"
)

const (
	id   = "4b825dc642cb6eb9a060e54bf8d69288fbee4905"
	id2  = "6ef19b41225c5369f1c104d45d8d85efa9b057b53b14b4b9b939dd74decc5322"
	head = "# branch.oid " + id + "|# branch.head main|"
)

// In the inputs, | stands for NUL.
func TestParseStatus(t *testing.T) {
	ids := " " + id + " " + id + " "
	tests := []struct {
		name    string
		in      string
		want    workTree
		wantErr bool
	}{
		{name: "clean", in: head, want: workTree{head: id, branch: "main"}},
		{name: "detached", in: "# branch.oid " + id2 + "|# branch.head (detached)|",
			want: workTree{head: id2}},
		{name: "unborn", in: "# branch.oid (initial)|# branch.head main|? f|",
			want: workTree{unborn: true, branch: "main", files: []file{{path: "f", untracked: true}}}},
		{name: "headers of a newer git", in: head +
			"# branch.upstream origin/main|# branch.ab +? -?|# stash 3|",
			want: workTree{head: id, branch: "main"}},
		{name: "modified, with spaces", in: head + "1 .M N... 100644 100644 100644" + ids + " a b |",
			want: workTree{head: id, branch: "main", files: []file{{path: " a b "}}}},
		{name: "deleted", in: head + "1 .D N... 100644 100644 000000" + ids + "f|",
			want: workTree{head: id, branch: "main", files: []file{{path: "f", gone: true}}}},
		{name: "staged as deleted, there again", in: head + "1 D. N... 100644 000000 000000" + ids +
			"f|? f|",
			want: workTree{head: id, branch: "main", files: []file{{path: "f"}}}},
		{name: "the other way round", in: head + "? f|1 D. N... 100644 000000 000000" + ids + "f|",
			want: workTree{head: id, branch: "main", files: []file{{path: "f"}}}},
		{name: "submodule", in: head + "1 .M SCMU 160000 160000 160000" + ids + "lib|",
			want: workTree{head: id, branch: "main", files: []file{{path: "lib"}}}},
		{name: "rename", in: head + "2 R. N... 100644 100644 100644" + ids + "R100 new|old|? z|",
			want: workTree{head: id, branch: "main",
				files: []file{{path: "new"}, {path: "old", gone: true}, {path: "z", untracked: true}}}},
		{name: "copy", in: head + "2 C. N... 100644 100644 100644" + ids + "C75 new|old|",
			want: workTree{head: id, branch: "main", files: []file{{path: "new"}}}},
		{name: "conflict", in: head + "u UU N... 100644 100644 100644 100644" + ids + id + " f|",
			want: workTree{head: id, branch: "main", files: []file{{path: "f"}}}},
		{name: "nested repository, newline, ? in a name", in: head + "? nest/|? a\nb|? ? c|",
			want: workTree{head: id, branch: "main", files: []file{
				{path: "? c", untracked: true}, {path: "a\nb", untracked: true},
				{path: "nest", untracked: true}}}},
		{name: "sorted", in: head + "? b|? a/c|? a|",
			want: workTree{head: id, branch: "main", files: []file{
				{path: "a", untracked: true}, {path: "a/c", untracked: true}, {path: "b", untracked: true}}}},

		{name: "empty", in: "", wantErr: true},
		{name: "no head", in: "# branch.head main|", wantErr: true},
		{name: "short id", in: "# branch.oid 4b825dc|", wantErr: true},
		{name: "upper case id", in: "# branch.oid " + strings.ToUpper(id) + "|", wantErr: true},
		{name: "empty branch", in: "# branch.oid " + id + "|# branch.head |", wantErr: true},
		{name: "cut off", in: head + "? f", wantErr: true},
		{name: "cut off in a rename", in: head + "2 R. N... 100644 100644 100644" + ids + "R100 new|old",
			wantErr: true},
		{name: "no path", in: head + "? |", wantErr: true},
		{name: "absolute path", in: head + "? /etc/passwd|", wantErr: true},
		{name: "path out", in: head + "? a/../../b|", wantErr: true},
		{name: "parent", in: head + "? ../b|", wantErr: true},
		{name: "the root", in: head + "? ./|", wantErr: true},
		{name: "version 1", in: " M f|", wantErr: true},
		{name: "ignored, never asked for", in: head + "! f|", wantErr: true},
		{name: "bad mode", in: head + "1 .M N... 100644 100644 10064" + ids + "f|", wantErr: true},
		{name: "text", in: "On branch main\nnothing to commit\n", wantErr: true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := parseStatus(strings.ReplaceAll(tt.in, "|", "\x00"))
			if (err != nil) != tt.wantErr || (err != nil && !errors.Is(err, errUnexpected)) {
				t.Fatalf("error %v", err)
			}
			if diff := cmp.Diff(tt.want, got, cmp.AllowUnexported(workTree{}, file{})); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func FuzzParseStatus(f *testing.F) {
	f.Add(strings.ReplaceAll(head+"? a|1 .M N... 100644 100644 100644 "+id+" "+id+" f|", "|", "\x00"))
	f.Add(strings.ReplaceAll(head+"2 R. N... 100644 100644 100644 "+id+" "+id+" R1 a|b|", "|", "\x00"))
	f.Add("# branch.oid (initial)\x00? ../x\x00")
	f.Fuzz(func(t *testing.T, out string) {
		w, err := parseStatus(out)
		if err != nil {
			return
		}
		if w.unborn == manifest.IsGitSHA(w.head) && w.head != "" || w.head == "" && !w.unborn {
			t.Errorf("head %q, unborn %v", w.head, w.unborn)
		}
		for _, file := range w.files {
			if !isPath(file.path) || strings.Contains(file.path, "\x00") {
				t.Errorf("path %q", file.path)
			}
		}
		if !slices.IsSortedFunc(w.files, func(a, b file) int { return strings.Compare(a.path, b.path) }) {
			t.Error("not sorted")
		}
	})
}

func TestParsePlace(t *testing.T) {
	tests := []struct {
		name    string
		in      string
		want    place
		wantErr bool
	}{
		{name: "all", in: "true\nfalse\n/r\n" + id + "\n" + id2 + "\n" + id + "\n",
			want: place{root: "/r", head: id, tree: id2, folder: id}},
		{name: "folder is not in HEAD", in: "true\nfalse\n/r\n" + id + "\n" + id2 + "\nHEAD:./\n",
			want: place{root: "/r", head: id, tree: id2}},
		{name: "no commit", in: "true\nfalse\n/r\nHEAD\n", want: place{root: "/r"}},
		{name: "root only", in: "true\nfalse\n/r\n", want: place{root: "/r"}},
		{name: "bare", in: "false\ntrue\n", want: place{outside: true, bare: true}},
		{name: "inside .git", in: "false\nfalse\n", want: place{outside: true}},

		{name: "empty", in: "", wantErr: true},
		{name: "not a bool", in: "yes\nno\n/r\n", wantErr: true},
		{name: "no root", in: "true\nfalse\n", wantErr: true},
		{name: "relative root", in: "true\nfalse\nr\n", wantErr: true},
		{name: "newline in root", in: "true\nfalse\n/r\nx\n" + id + "\n" + id + "\n" + id + "\n",
			wantErr: true},
		{name: "one id too many", in: "true\nfalse\n/r\n" + strings.Repeat(id+"\n", 4), wantErr: true},
		{name: "negated id, of a range", in: "true\nfalse\n/r\n" + id + "\n" + id + "\n^" + id + "\n",
			wantErr: true},
		{name: "goes on after a failure", in: "true\nfalse\n/r\nHEAD\n" + id + "\n", wantErr: true},
	}
	drive := filepath.VolumeName(t.TempDir()) // of Windows
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := parsePlace(strings.Replace(tt.in, "\n/r\n", "\n"+drive+"/r\n", 1))
			got.root = strings.TrimPrefix(got.root, drive)
			if (err != nil) != tt.wantErr || (err != nil && !errors.Is(err, errUnexpected)) {
				t.Fatalf("error %v", err)
			}
			if diff := cmp.Diff(tt.want, got, cmp.AllowUnexported(place{})); err == nil && diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestParseTree(t *testing.T) {
	tests := []struct {
		name, in string
		want     map[string]Object
		wantErr  bool
	}{
		{name: "none", want: map[string]Object{}},
		{name: "three kinds", in: "040000 tree " + id + "\ta\tb|100644 blob " + id2 +
			"\tc\nd|160000 commit " + id + "\te|",
			want: map[string]Object{
				"a\tb": {Path: "a\tb", SHA: id}, "c\nd": {Path: "c\nd", SHA: id2}, "e": {Path: "e", SHA: id}}},
		{name: "executable", in: "100755 blob " + id + "\ta|",
			want: map[string]Object{"a": {Path: "a", SHA: id, Executable: true}}},
		{name: "cut off", in: "040000 tree " + id + "\ta", wantErr: true},
		{name: "short id", in: "040000 tree 1234\ta|", wantErr: true},
		{name: "no name", in: "040000 tree " + id + "\t|", wantErr: true},
		{name: "no tab", in: "040000 tree " + id + "|", wantErr: true},
		{name: "other kind", in: "040000 tag " + id + "\ta|", wantErr: true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got := map[string]Object{}
			err := parseTree(strings.ReplaceAll(tt.in, "|", "\x00"), got)
			if (err != nil) != tt.wantErr {
				t.Fatalf("error %v", err)
			}
			if diff := cmp.Diff(tt.want, got); err == nil && diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestParseIndex(t *testing.T) {
	submodule := "H 160000 " + id + " 0\tlib|"
	entry := func(tag, name string) string { return tag + " 100644 " + id + " 0\t" + name + "|" }
	tests := []struct {
		name, in   string
		want       map[string]string
		submodules []string
		wantErr    bool
	}{
		{name: "none", want: map[string]string{}},
		{name: "submodule", in: entry("h", "a") + submodule,
			want: map[string]string{"a": "assume-unchanged"}, submodules: []string{"lib"}},
		{name: "skipped submodule", in: "S" + submodule[1:],
			want: map[string]string{"lib": "skip-worktree"}},
		{name: "nothing to overlook", in: entry("H", "a") + entry("M", "b"), want: map[string]string{}},
		{name: "every tag", in: entry("h", "a\tb") + entry("m", "c\nd") + entry("S", " ") +
			entry("s", "H "),
			want: map[string]string{"a\tb": "assume-unchanged", "c\nd": "assume-unchanged",
				" ": "skip-worktree", "H ": "skip-worktree"}},
		{name: "SHA-256", in: "S 120000 " + id2 + " 0\ta|",
			want: map[string]string{"a": "skip-worktree"}},
		{name: "cut off", in: strings.TrimSuffix(entry("H", "a"), "|"), wantErr: true},
		{name: "other tag", in: entry("C", "a"), wantErr: true},
		{name: "no tag", in: entry("", "a"), wantErr: true},
		{name: "short id", in: "H 100644 1234 0\ta|", wantErr: true},
		{name: "short mode", in: "H 644 " + id + " 0\ta|", wantErr: true},
		{name: "no stage", in: "H 100644 " + id + "\ta|", wantErr: true},
		{name: "no tab", in: "H 100644 " + id + " 0|", wantErr: true},
		{name: "no path", in: entry("H", ""), wantErr: true},
		{name: "path out", in: entry("h", "../a"), wantErr: true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, submodules, err := parseIndex(strings.ReplaceAll(tt.in, "|", "\x00"))
			if (err != nil) != tt.wantErr || (err != nil && !errors.Is(err, errUnexpected)) {
				t.Fatalf("error %v", err)
			}
			if diff := cmp.Diff(tt.want, got); err == nil && diff != "" {
				t.Error(diff)
			}
			if diff := cmp.Diff(tt.submodules, submodules); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestParseDate(t *testing.T) {
	if when, commit, err := parseDate("1700000100 " + id + "\n"); err != nil || commit != id ||
		when.Unix() != 1700000100 {
		t.Errorf("got %v %s %v", when, commit, err)
	}
	for _, in := range []string{"", "1700000100", "x " + id, "-1 " + id, "253402300800 " + id,
		"1 " + id + "\n" + id, "1 x"} {
		if when, _, err := parseDate(in); !errors.Is(err, errUnexpected) {
			t.Errorf("%q: got %v, %v", in, when, err)
		}
	}
}
