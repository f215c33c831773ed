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
)

const ami1 = "ami-0a1b2c3d4e5f60718"

var (
	print1 = strings.Repeat("1", 64)
	now    = time.Date(2026, 6, 1, 12, 0, 0, 0, time.UTC)
)

func full() Record {
	return Record{
		Schema: manifest.Schema, Registry: "s3://acme-images/chain", Reason: "unchanged",
		Facts: manifest.Facts{
			Image: "app", Fingerprint: print1, Sources: []string{"amazon-ebs.app"},
			Git:        manifest.Git{SHA: "a", Name: "a", Commit: "c", CommitTime: now, Branch: "main"},
			Components: []manifest.Component{{Name: "schema", Value: "1"}},
			Parents:    []manifest.Parent{{Image: "base", Identity: ami1, AMI: ami1, Ancestors: []string{"debian"}}},
			Ancestors:  []string{"base", "debian"},
		},
		Tags:          map[string]string{"chain:image": "app"},
		Entries:       []manifest.Entry{{Name: "app", BuilderType: "amazon-ebs", ArtifactID: "eu-west-1:" + ami1}},
		LocalManifest: "manifest-app.json", Regions: []string{"eu-west-1"}, Unpublished: true,
	}
}

func TestRecord_roundTrip(t *testing.T) {
	text, err := full().Encode()
	if err != nil {
		t.Fatal(err)
	}
	got, err := Decode(text)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(full(), got, cmpopts.EquateEmpty()); diff != "" {
		t.Error(diff)
	}
	// A field that is added and forgotten in full would not be tested.
	for i := range reflect.TypeFor[Record]().NumField() {
		if reflect.ValueOf(full()).Field(i).IsZero() && reflect.TypeFor[Record]().Field(i).Name != "Needed" {
			t.Errorf("%s is not set", reflect.TypeFor[Record]().Field(i).Name)
		}
	}
}

func TestDecode_errors(t *testing.T) {
	not := func(why string) string { return `record is not one of data "chain-image": ` + why + remedy }
	for name, tt := range map[string]struct{ in, want string }{
		"unknown":     {option.Unknown, "record is not known" + remedy},
		"empty":       {"", "record is required" + remedy},
		"list":        {"[]", not("corrupt: not a JSON object")},
		"cut short":   {`{"schema":1`, not(`corrupt: unexpected EOF after offset 11`)},
		"twice":       {`{"schema":1,"schema":1}`, not(`corrupt: duplicate object member name "schema"`)},
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
	text, err := EncodeParent(full().Parents[0])
	if err != nil {
		t.Fatal(err)
	}
	got, err := DecodeParent(text)
	if diff := cmp.Diff(full().Parents[0], got); diff != "" || err != nil {
		t.Error(diff, err)
	}
	whole, err := full().Encode()
	if err != nil {
		t.Fatal(err)
	}
	for name, tt := range map[string]struct{ in, want string }{
		"unknown":  {option.Unknown, "is not known"},
		"an AMI":   {ami1, `is not the ref of a data "chain": corrupt: not a JSON object`},
		"image":    {`{"image":"A"}`, `is not the ref of a data "chain": image must be lower-case letters, digits, ".", "_" and "-", and start with a letter or digit, got "A"`},
		"a record": {whole, `is not the ref of a data "chain": identity is missing`},
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
