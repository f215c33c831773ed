// SPDX-License-Identifier: MPL-2.0

package fingerprint

import (
	"encoding/json"
	"fmt"
	"maps"
	"os/exec"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/packer-chain/packer-plugin-chain/internal/manifest"
)

const (
	tree1 = "4f1c9e20c642cb6eb9a060e54bf8d69288fbee49"
	tree2 = "98aa01b0c642cb6eb9a060e54bf8d69288fbee49"
	ami   = "ami-0a1b2c3d4e5f60718"
)

func example() Parts {
	return Parts{
		Image:       "snowflake",
		TemplateSHA: tree1,
		Extra:       map[string]string{"shared/lib": tree2, "a b/ü": tree1},
		Inputs:      map[string]string{"docker": "27.3", "arch": "27.3"},
		Parents: []manifest.Parent{
			{Image: "baseline-ubuntu", Identity: "ami-0a1b2c3d4e5f60718", Fingerprint: "not in it",
				Region: "eu-west-1"},
			{Image: "tools", Identity: "sha256:" + strings.Repeat("ab", 32)},
		},
		Salt:      "pepper",
		DirtyHash: strings.Repeat("cd", 32),
	}
}

// golden changes only together with Version: otherwise every user's images are built again.
const golden = "55580ce9c945e25d6659ec74315e30a336dd452f03d8fc7a93de6a3fd97dc479"

func TestCompute_golden(t *testing.T) {
	got, components := Compute(example())
	want := []manifest.Component{
		{Name: "schema", Value: "1"},
		{Name: "image", Value: "snowflake"},
		{Name: "template", Value: tree1},
		{Name: "extra a b/ü", Value: tree1},
		{Name: "extra shared/lib", Value: tree2},
		{Name: "input arch", Value: "85bc9a0f2cb5d184798db6ab98a8f6031ed0e1861321f4d5a229a4a01349d858"},
		{Name: "input docker", Value: "b6544ad2e3793c85dd820486ac2bd980f183adaa86f88945a9568fd1dfafb5fe"},
		{Name: "parent baseline-ubuntu", Value: "ami-0a1b2c3d4e5f60718"},
		{Name: "parent tools", Value: "sha256:" + strings.Repeat("ab", 32)},
		{Name: "salt", Value: "b2610542ee5cc39a9c7981769c6ac644d84315c8fac605a834eddeb243eda116"},
		{Name: "uncommitted changes", Value: strings.Repeat("cd", 32)},
	}
	if diff := cmp.Diff(want, components); diff != "" {
		t.Error(diff)
	}
	if got != golden {
		t.Errorf("got %s, want %s", got, golden)
	}
}

// goldenSmall is what this prints:
//
//	printf '6:schema 1:1\n5:image 4:base\n8:template 3:abc\n' | sha256sum
const goldenSmall = "210efb671d33af35a0a9e28bf911e7824fd3121ffec21d273635dd9e49ece263"

func TestCompute_small(t *testing.T) {
	got, components := Compute(Parts{Image: "base", TemplateSHA: "abc"})
	if got != goldenSmall || len(components) != 3 {
		t.Errorf("got %s from %v", got, components)
	}
}

// The architecture is its own component, before those that nobody shows. Images that name none keep
// their fingerprint.
func TestCompute_architecture(t *testing.T) {
	p := example()
	p.Architecture = "arm64"
	_, components := Compute(p)
	want := []manifest.Component{{Name: "parent tools", Value: "sha256:" + strings.Repeat("ab", 32)}, {Name: "architecture", Value: "arm64"}}
	if diff := cmp.Diff(want, components[8:10]); diff != "" {
		t.Error(diff)
	}
}

// The value of an input is known again, and nothing else is.
func TestIsInput(t *testing.T) {
	_, components := Compute(Parts{Image: "app", Salt: "27.3", Inputs: map[string]string{
		"docker": "27.3", "bad\xff": ami, `"quoted"`: ami, "new\nline": ami, "empty": "",
	}, Parents: []manifest.Parent{{Image: "base", Identity: ami}}})
	for value, want := range map[string][]string{
		"27.3":    {"input docker"},
		ami:       {`input "\"quoted\""`, `input "bad\xff"`, "input new\nline"},
		"":        {"input empty"},
		"27.30":   nil,
		"unknown": nil,
	} {
		var got []string
		for _, c := range components {
			if IsInput(c, value) {
				got = append(got, c.Name)
			}
		}
		slices.Sort(got)
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%q: %s", value, diff)
		}
	}
	// The hash of a parent or an extra path is not taken for that of an input.
	hash := components[slices.IndexFunc(components, func(c manifest.Component) bool { return c.Name == "input docker" })].Value
	for _, name := range []string{"extra docker", "parent docker", "docker", "input", "input other"} {
		if IsInput(manifest.Component{Name: name, Value: hash}, "27.3") {
			t.Errorf("%q counts as the input", name)
		}
	}
}

// The command in the package comment gives the same fingerprint, for names that are not plain too.
func TestCompute_shell(t *testing.T) {
	for _, tool := range []string{"jq", "sha256sum", "sh"} {
		if _, err := exec.LookPath(tool); err != nil {
			t.Skip(tool + " is not installed")
		}
	}
	p := example()
	p.Extra["bad\xffutf8"], p.Extra["new\nline <&>\u2028"], p.Extra[`"quoted"`] = tree1, tree2, tree1
	want, components := Compute(p)
	doc, err := json.Marshal(map[string]any{"chain": map[string]any{"components": components}})
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("sh", "-c",
		`jq -r '.chain.components[] | `+
			`"\(.name|utf8bytelength):\(.name) \(.value|utf8bytelength):\(.value)"' | sha256sum`)
	cmd.Stdin = strings.NewReader(string(doc))
	out, err := cmd.Output()
	if got, _, _ := strings.Cut(string(out), " "); err != nil || got != want {
		t.Errorf("got %s, %v, want %s", got, err, want)
	}
}

// changes are one change each, and for Diff the lines that name it.
var changes = []struct {
	name   string
	change func(p *Parts)
	want   []string
}{
	{"image", func(p *Parts) { p.Image = "other" }, []string{"image: snowflake -> other"}},
	{"template", func(p *Parts) { p.TemplateSHA = tree2 }, []string{"template: 4f1c9e2 -> 98aa01b"}},
	{"extra changed", func(p *Parts) { p.Extra["shared/lib"] = tree1 },
		[]string{"extra shared/lib: 98aa01b -> 4f1c9e2"}},
	{"extra added", func(p *Parts) { p.Extra["x"] = tree1 }, []string{"extra x added"}},
	{"extra removed", func(p *Parts) { delete(p.Extra, "shared/lib") },
		[]string{"extra shared/lib removed"}},
	{"extra moved", func(p *Parts) { delete(p.Extra, "shared/lib"); p.Extra["lib"] = tree2 },
		[]string{"extra lib added", "extra shared/lib removed"}},
	{"extra swapped", func(p *Parts) { p.Extra["shared/lib"], p.Extra["a b/ü"] = tree1, tree2 },
		[]string{"extra a b/ü: 4f1c9e2 -> 98aa01b", "extra shared/lib: 98aa01b -> 4f1c9e2"}},
	{"input changed", func(p *Parts) { p.Inputs["docker"] = "28" }, []string{"input docker"}},
	{"input empty", func(p *Parts) { p.Inputs["docker"] = "" }, []string{"input docker"}},
	{"input added", func(p *Parts) { p.Inputs["x"] = "" }, []string{"input x added"}},
	{"input removed", func(p *Parts) { delete(p.Inputs, "docker") }, []string{"input docker removed"}},
	{"parent re-baked", func(p *Parts) { p.Parents[0].Identity = "ami-0f" },
		[]string{"parent baseline-ubuntu: ami-0a1b2c3d4e5f60718 -> ami-0f"}},
	{"parent renamed", func(p *Parts) { p.Parents[0].Image = "b" },
		[]string{"parent b added", "parent baseline-ubuntu removed"}},
	{"parent removed", func(p *Parts) { p.Parents = p.Parents[:1] }, []string{"parent tools removed"}},
	{"parent twice", func(p *Parts) { p.Parents = append(p.Parents, p.Parents[0]) },
		[]string{"parent baseline-ubuntu added"}},
	{"parents in another order", func(p *Parts) { slices.Reverse(p.Parents) },
		[]string{"order of components"}},
	{"architecture", func(p *Parts) { p.Architecture = "arm64" }, []string{"architecture added"}},
	{"another architecture", func(p *Parts) { p.Architecture = "x86_64" }, []string{"architecture added"}},
	{"salt", func(p *Parts) { p.Salt = "salt" }, []string{"salt"}},
	{"no salt", func(p *Parts) { p.Salt = "" }, []string{"salt removed"}},
	{"other dirty files", func(p *Parts) { p.DirtyHash = "x" }, []string{"uncommitted changes"}},
	{"clean", func(p *Parts) { p.DirtyHash = "" }, []string{"uncommitted changes removed"}},
	{"value moves to another input",
		func(p *Parts) { p.Inputs = map[string]string{"docker27.3": "", "arch": "27.3"} },
		[]string{"input docker27.3 added", "input docker removed"}},
	{"input as extra", func(p *Parts) { p.Extra["docker"] = "27.3"; delete(p.Inputs, "docker") },
		[]string{"extra docker added", "input docker removed"}},
	{"text of the next component in a value", func(p *Parts) { p.Image = "snowflake\n8:template 1:x" },
		[]string{"image: snowflake -> snowflake8:template 1:x"}},
	{"bad UTF-8", func(p *Parts) { p.Extra["\xff"] = tree1 }, []string{`extra "\xff" added`}},
	{"other bad UTF-8", func(p *Parts) { p.Extra["\xfe"] = tree1 }, []string{`extra "\xfe" added`}},
	{"its quoted form", func(p *Parts) { p.Extra[`"\xff"`] = tree1 },
		[]string{`extra "\"\\xff\"" added`}},
}

func TestCompute_everyChangeCounts(t *testing.T) {
	base, _ := Compute(example())
	seen := map[string]string{base: "none"}
	for _, tt := range changes {
		p := example()
		tt.change(&p)
		got, _ := Compute(p)
		if other, twice := seen[got]; twice {
			t.Errorf("%s has the fingerprint of %s", tt.name, other)
		}
		seen[got] = tt.name
	}
}

func TestCompute_whatDoesNotCount(t *testing.T) {
	want, _ := Compute(example())
	for range 50 {
		p := example()
		p.Extra, p.Inputs = maps.Clone(p.Extra), maps.Clone(p.Inputs)
		p.Parents[0].Fingerprint, p.Parents[0].Region = "other", ""
		p.Parents[0].AMIs = map[string]string{"eu-west-1": "ami-x"}
		if got, _ := Compute(p); got != want {
			t.Fatalf("got %s, want %s", got, want)
		}
	}
	none, _ := Compute(Parts{})
	empty, _ := Compute(Parts{
		Extra: map[string]string{}, Inputs: map[string]string{}, Parents: []manifest.Parent{},
	})
	if none != empty {
		t.Error("an empty map is not the same as none")
	}
}

// No value of an input and no salt is in a component, and equal values do not show.
func TestCompute_hidesValues(t *testing.T) {
	_, components := Compute(Parts{
		Inputs: map[string]string{"a": "hunter2", "b": "hunter2"}, Salt: "hunter2",
	})
	values := map[string]bool{}
	for _, c := range components[3:] {
		values[c.Value] = true
		if len(c.Value) != 64 {
			t.Errorf("%s: value %q is no hash", c.Name, c.Value)
		}
	}
	if text := fmt.Sprint(components); strings.Contains(text, "hunter2") || len(values) != 3 {
		t.Errorf("components show values: %s", text)
	}
}

// Two different lists never have the same canonical text.
func FuzzCanonical(f *testing.F) {
	f.Add("a", "b", "c", "d", "a", "b", "c", "d")
	f.Add("a 1:b\n1:c", "d", "", "", "a", "b", "c", "d")
	f.Fuzz(func(t *testing.T, a, b, c, d, e, g, h, i string) {
		left := []manifest.Component{{Name: a, Value: b}, {Name: c, Value: d}}
		right := []manifest.Component{{Name: e, Value: g}, {Name: h, Value: i}}
		if equal := cmp.Equal(left, right); equal != (canonical(left) == canonical(right)) {
			t.Errorf("equal is %v: %q and %q", equal, left, right)
		}
		if canonical(left[:1]) == canonical(right) {
			t.Errorf("one component as two: %q", right)
		}
	})
}

// Two different inputs never have the same components, also after a round trip through JSON.
func FuzzText(f *testing.F) {
	f.Add("a\xff", `"a\xff"`)
	f.Add("a\ufffd", "a\xff")
	f.Fuzz(func(t *testing.T, a, b string) {
		doc, err := json.Marshal([]string{jsonText(a), jsonText(b)})
		if err != nil {
			t.Fatal(err)
		}
		var back []string
		if err := json.Unmarshal(doc, &back); err != nil {
			t.Fatal(err)
		}
		if back[0] != jsonText(a) || (back[0] == back[1]) != (a == b) {
			t.Errorf("%q and %q became %q", a, b, back)
		}
	})
}

// TestRenew checks that components that are renewed are those that would be computed.
func TestRenew(t *testing.T) {
	quoted := example()
	quoted.Extra = map[string]string{"\xff": tree1}
	none := example()
	none.Extra, none.Parents, none.DirtyHash = nil, nil, ""
	for name, old := range map[string]Parts{"all": example(), "quoted": quoted, "little": none} {
		t.Run(name, func(t *testing.T) {
			_, components := Compute(old)
			now := old
			now.TemplateSHA, now.DirtyHash = tree2, ""
			now.Extra = maps.Clone(old.Extra)
			for path := range now.Extra {
				now.Extra[path] = tree2
			}
			now.Parents = slices.Clone(old.Parents)
			for i := range now.Parents {
				now.Parents[i].Identity = fmt.Sprint("ami-", i)
			}
			_, want := Compute(now)
			if diff := cmp.Diff(want, Renew(components, now)); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
			if diff := cmp.Diff(components, Renew(components, Parts{})); diff != "" {
				t.Errorf("without anything new (-want +got):\n%s", diff)
			}
			now.DirtyHash = strings.Repeat("ef", 32)
			if got := Renew(components, now); len(got) != len(want)+1 {
				t.Errorf("without the hash of uncommitted files: %v", got)
			}
			if paths := ExtraPaths(components); !slices.Equal(paths, slices.Sorted(maps.Keys(old.Extra))) {
				t.Errorf("got extra paths %q", paths)
			}
		})
	}
}
