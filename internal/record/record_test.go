// SPDX-License-Identifier: MPL-2.0

package record

import (
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/packer-chain/packer-plugin-chain/internal/manifest"
	"github.com/packer-chain/packer-plugin-chain/internal/option"
	"github.com/packer-chain/packer-plugin-chain/internal/registry"
)

const ami1 = "ami-0a1b2c3d4e5f60718"

var (
	print1 = strings.Repeat("1", 64)
	now    = time.Date(2026, 6, 1, 12, 0, 0, 0, time.UTC)
)

func full() Record {
	amis := map[string]string{"eu-west-1": ami1}
	base := manifest.Ancestor{Image: "base", Fingerprint: print1, AMIs: amis}
	at := registry.Position{Commit: strings.Repeat("a", 40), CommitTime: now, DecidedAt: now.Add(time.Minute)}
	main := manifest.Line{Kind: manifest.LineBranch, Name: "main"}
	return Record{
		Schema: manifest.Schema, Registry: "s3://acme-images/chain", Reason: "unchanged",
		Access: Access{Withheld: []string{"token"}, Options: map[string]any{
			"region": "eu-west-1", "registry_access": map[string]any{"use_path_style": true}}},
		Facts: manifest.Facts{
			Image: "app", Fingerprint: print1, Sources: []string{"amazon-ebs.app"}, Architecture: "arm64",
			Git: manifest.Git{SHA: "a", Name: "a", Commit: "c", CommitTime: now, Branch: "main", Line: main,
				Origin: "github.com/acme/images//app", Content: map[string]string{"app": "a"}},
			Components: []manifest.Component{{Name: "schema", Value: "1"}},
			Parents: []manifest.Parent{{Image: "base", Identity: ami1, AMI: ami1, AMIs: amis,
				Ancestors: []manifest.Ancestor{{Image: "debian"}}, Content: map[string]string{"base": "b"}}},
			Ancestors: []manifest.Ancestor{base, {Image: "debian"}},
		},
		Pending: []string{"amazon-ebs.app"}, Forced: true, DecidedAt: now, Known: []string{"run1"},
		Tags:          map[string]string{"chain:image": "app"},
		Entries:       []manifest.Entry{{Name: "app", BuilderType: "amazon-ebs", ArtifactID: "eu-west-1:" + ami1}},
		LocalManifest: "manifest-app.json", Regions: []string{"eu-west-1"}, Unpublished: true, Unmarked: true,
		Abandoned: []string{ami1 + " in eu-west-1"}, DefaultBranches: []string{"main"}, NotOnBranch: "not pushed", Warnings: []string{"git ignores x"},
		Checkout: &Checkout{Paths: []string{"/src/app"}, Content: []string{"a"}, DirtyHash: "d", Untracked: []string{"x"}, NoGit: true},
		Pointer: &Pointer{
			Target: registry.Target{Fingerprint: print1, Position: at, Line: main,
				Builds: []registry.Build{{Source: "amazon-ebs.app", ArtifactID: "eu-west-1:" + ami1}}}, Channel: "latest", Seq: 7, Back: true,
			Others: []string{ami1 + " in eu-west-1"}, Owners: []string{"self"}, AllowDeprecated: true, AllowRevoked: true,
		},
	}
}

func TestRecord_roundTrip(t *testing.T) {
	built, found := full(), full()
	built.Pointer = nil
	found.Pending, found.Unpublished, found.Unmarked = nil, false, false
	for _, rec := range []Record{built, found} {
		text, err := rec.Encode()
		if err != nil {
			t.Fatal(err)
		}
		got, err := Decode(text)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(rec, got, cmpopts.EquateEmpty()); diff != "" {
			t.Error(diff)
		}
	}
	// A field that is added and forgotten in full would not be tested.
	for _, whole := range []any{full(), *full().Checkout, *full().Pointer} {
		value := reflect.ValueOf(whole)
		for i := range value.NumField() {
			if value.Field(i).IsZero() {
				t.Errorf("%s of %T is not set", value.Type().Field(i).Name, whole)
			}
		}
	}
}

func TestRecord_IsPending(t *testing.T) {
	for name, tt := range map[string]struct {
		sources, pending []string
		source           string
		want             bool
	}{
		"the only source":        {nil, []string{"app"}, "amazon-ebs.x", true},
		"nothing is pending":     {nil, nil, "amazon-ebs.x", false},
		"one of several":         {[]string{"amazon-ebs.a", "amazon-ebs.b"}, []string{"amazon-ebs.b"}, "amazon-ebs.b", true},
		"another one":            {[]string{"amazon-ebs.a", "amazon-ebs.b"}, []string{"amazon-ebs.b"}, "amazon-ebs.a", false},
		"one that is not listed": {[]string{"amazon-ebs.a"}, []string{"amazon-ebs.a"}, "amazon-ebs.x", false},
		"one named as the image": {[]string{"amazon-ebs.a"}, []string{"amazon-ebs.a"}, "app", false},
	} {
		t.Run(name, func(t *testing.T) {
			rec := Record{Facts: manifest.Facts{Image: "app", Sources: tt.sources}, Pending: tt.pending}
			if got := rec.IsPending(tt.source); got != tt.want {
				t.Errorf("got %v", got)
			}
		})
	}
}

func TestDecode_errors(t *testing.T) {
	not := func(why string) string { return `record is not one of data "chain-image" or "chain": ` + why + remedy }
	for name, tt := range map[string]struct{ in, want string }{
		"unknown":     {option.Unknown, "record is not known" + remedy},
		"empty":       {"", "record is required" + remedy},
		"list":        {"[]", not("not a JSON object")},
		"cut short":   {`{"schema":1`, not(`unexpected EOF after offset 11`)},
		"twice":       {`{"schema":1,"schema":1}`, not(`duplicate object member name "schema"`)},
		"no schema":   {"{}", not("schema 0, this plugin reads 1")},
		"newer":       {`{"schema":2}`, not("schema 2, this plugin reads 1")},
		"image":       {`{"schema":1,"image":"../x","fingerprint":"` + print1 + `"}`, not(`image must be lower-case letters, digits, ".", "_" and "-", and start with a letter or digit, got "../x"`)},
		"fingerprint": {`{"schema":1,"image":"app","fingerprint":"../x"}`, not(`fingerprint must be 64 lower-case hex digits, got "../x"`)},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := Decode(tt.in)
			if err == nil || err.Error() != tt.want {
				t.Errorf("got %v, want %s", err, tt.want)
			}
		})
	}
}

func TestDecodeParent(t *testing.T) {
	want := Parent{Parent: full().Parents[0], Root: "/src"}
	text, err := EncodeParent(want)
	if err != nil {
		t.Fatal(err)
	}
	got, err := DecodeParent(text)
	if diff := cmp.Diff(want, got); diff != "" || err != nil {
		t.Error(diff, err)
	}
	whole, err := full().Encode()
	if err != nil {
		t.Fatal(err)
	}
	for name, tt := range map[string]struct{ in, want string }{
		"unknown":  {option.Unknown, "is not known" + parentRemedy},
		"an AMI":   {ami1, `is not the ref of a data "chain": not a JSON object` + parentRemedy},
		"image":    {`{"image":"A"}`, `is not the ref of a data "chain": image must be lower-case letters, digits, ".", "_" and "-", and start with a letter or digit, got "A"` + parentRemedy},
		"a record": {whole, `is not the ref of a data "chain": identity is missing` + parentRemedy},
	} {
		t.Run(name, func(t *testing.T) {
			if _, err := DecodeParent(tt.in); err == nil || err.Error() != tt.want {
				t.Errorf("got %v, want %s", err, tt.want)
			}
		})
	}
}

// FuzzDecode feeds whatever a template may hold. What is taken must survive another trip.
func FuzzDecode(f *testing.F) {
	text, err := full().Encode()
	if err != nil {
		f.Fatal(err)
	}
	for _, seed := range []string{text, text[:len(text)/2], "", option.Unknown, "{}", `{"schema":1,"image":"app","fingerprint":"` + print1 + `","entries":[null],"tags":null}`} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, in string) {
		if parent, err := DecodeParent(in); err == nil {
			if _, err := EncodeParent(parent); err != nil {
				t.Errorf("encode parent: %v", err)
			}
		}
		rec, err := Decode(in)
		if err != nil {
			return
		}
		text, err := rec.Encode()
		if err != nil {
			// Indented, a text at the limit may be over it.
			return
		}
		again, err := Decode(text)
		if err != nil {
			t.Fatalf("%v: %s", err, text)
		}
		once, err := again.Encode()
		if err != nil || once != text {
			t.Errorf("%v: %s became %s", err, text, once)
		}
	})
}

// TestDecode_twoThings refuses a record that promotes something else than it checks. It may come from
// a file.
func TestDecode_twoThings(t *testing.T) {
	for name, change := range map[string]func(*Record){
		"other builds":        func(r *Record) { r.Pointer.Builds[0].Run = "other" },
		"no entries":          func(r *Record) { r.Entries = nil },
		"one entry more":      func(r *Record) { r.Entries = append(r.Entries, manifest.Entry{ArtifactID: "x"}) },
		"another fingerprint": func(r *Record) { r.Pointer.Fingerprint = strings.Repeat("2", 64) },
		"pending":             func(r *Record) { r.Pending = []string{"amazon-ebs.app"} },
		"unpublished":         func(r *Record) { r.Unpublished = true },
		"unmarked":            func(r *Record) { r.Unmarked = true },
	} {
		t.Run(name, func(t *testing.T) {
			rec := full()
			rec.Pending, rec.Unpublished, rec.Unmarked = nil, false, false
			change(&rec)
			text, err := rec.Encode()
			if err != nil {
				t.Fatal(err)
			}
			if _, err := Decode(text); err == nil || !strings.Contains(err.Error(), "its builds are not those that it points at") {
				t.Errorf("got %v", err)
			}
		})
	}
}
