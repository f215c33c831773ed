// SPDX-License-Identifier: MPL-2.0

package manifest

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"
)

const (
	fingerprint = "5f70bf18a086007016e948b04aed3b82103a36bea41755b6cddfaf10ace3c6ef"
	otherPrint  = "0000bf18a086007016e948b04aed3b82103a36bea41755b6cddfaf10ace3c6ef"
)

// packers is a file as Packer 1.16.0's manifest post-processor writes it.
const packers = `{
  "builds": [
    {
      "name": "base",
      "builder_type": "amazon-ebs",
      "build_time": 1790000000,
      "files": null,
      "artifact_id": "eu-west-1:ami-0a1b2c3d4e5f60718",
      "packer_run_uuid": "0d4ae2bc-7ab5-4c2e-8ec8-0d3d7b2f3c11",
      "custom_data": null
    }
  ],
  "last_run_uuid": "0d4ae2bc-7ab5-4c2e-8ec8-0d3d7b2f3c11"
}`

func ours(t *testing.T) []byte {
	t.Helper()
	m, _ := Merge(nil, facts(), []Entry{entry("run-1", "app", "ami-0a1b2c3d4e5f60718")}, at(1), "w1")
	body, err := Encode(m)
	if err != nil {
		t.Fatal(err)
	}
	return body
}

func facts() Facts {
	return Facts{Image: "snowflake", Fingerprint: fingerprint, Components: []Component{{"template", "4f1c"}}}
}

func entry(run, name, ami string) Entry {
	return Entry{
		Name: name, BuilderType: "amazon-ebs", ArtifactID: "eu-west-1:" + ami, PackerRunUUID: run,
		Images: []Image{{Provider: ProviderAWS, Region: "eu-west-1", ID: ami}},
	}
}

func at(minute int) time.Time { return time.Date(2026, 1, 2, 3, minute, 0, 0, time.UTC) }

func TestParse_packersOwn(t *testing.T) {
	m, err := Parse([]byte(packers))
	if err != nil {
		t.Fatal(err)
	}
	if m.Chain != nil || len(m.LastRun()) != 1 || m.LastRun()[0].ArtifactID != "eu-west-1:ami-0a1b2c3d4e5f60718" {
		t.Errorf("got %+v", m)
	}
}

func TestParse_refuses(t *testing.T) {
	good := string(ours(t))
	tests := map[string]struct {
		body string
		want string
	}{
		"empty":            {"", "corrupt: not a JSON object"},
		"null":             {"null", "corrupt: not a JSON object"},
		"list":             {"[]", "corrupt: not a JSON object"},
		"cut":              {good[:len(good)/2], `corrupt: unexpected EOF within "/chain/`},
		"doubled":          {good + good, "corrupt: invalid character '{' after top-level value"},
		"trailing garbage": {good + "x", "corrupt: invalid character 'x' after top-level value"},
		"byte order mark":  {"\ufeff" + good, "corrupt: not a JSON object"},
		"no builds":        {`{"builds":[]}`, "corrupt: it holds no builds"},
		"key twice":        {`{"builds":[],"builds":[]}`, `corrupt: duplicate object member name "builds"`},
		"deep":             {`{"a":` + strings.Repeat("[", 10_000) + strings.Repeat("]", 10_000) + `}`, "corrupt: exceeded max depth"},
		"huge":             {`{"a":"` + strings.Repeat("x", MaxSize) + `"}`, "corrupt: 1048584 bytes, the limit is 1048576"},
		"wrong type":       {strings.Replace(good, `"seq": 1`, `"seq": "one"`, 1), `corrupt: unexpected string at "/chain/seq"`},
		"seq of zero":      {strings.Replace(good, `"seq": 1`, `"seq": 0`, 1), "corrupt: chain: seq or write_id is missing"},
		"seq of 1e30":      {strings.Replace(good, `"seq": 1`, `"seq": 1e30`, 1), `corrupt: unexpected number at "/chain/seq"`},
		"not UTF-8":        {strings.Replace(good, "w1", "\xff", 1), "corrupt: invalid UTF-8 within \"/chain/write_id\""},
		"bad fingerprint":  {strings.Replace(good, fingerprint, "abc", 1), "corrupt: chain.fingerprint must be 64 lower-case hex digits"},
		"bad image":        {strings.Replace(good, "snowflake", "../x", 1), "corrupt: chain.image must be lower-case letters"},
		"newer schema":     {strings.Replace(good, `"schema": 1`, `"schema": 2`, 1), "unsupported schema version 2, this plugin reads 1\n\nUpgrade the chain plugin."},
		"schema of text":   {strings.Replace(good, `"schema": 1`, `"schema": "x"`, 1), "corrupt: "},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			_, err := Parse([]byte(tt.body))
			if err == nil || !strings.HasPrefix(err.Error(), tt.want) {
				t.Fatalf("got %v, want %s", err, tt.want)
			}
			var newer *SchemaError
			if errors.Is(err, ErrCorrupt) == errors.As(err, &newer) {
				t.Error("a refusal is either corrupt, or of a newer schema")
			}
		})
	}
}

func TestManifest_Belongs(t *testing.T) {
	m, err := Parse(ours(t))
	if err != nil {
		t.Fatal(err)
	}
	if err := m.Belongs("snowflake", fingerprint); err != nil {
		t.Error(err)
	}
	if m.Belongs("other", fingerprint) == nil || m.Belongs("snowflake", otherPrint) == nil {
		t.Error("a document of another image or fingerprint belongs nowhere else")
	}
	packer, err := Parse([]byte(packers))
	if err != nil {
		t.Fatal(err)
	}
	if packer.Belongs("snowflake", fingerprint) == nil {
		t.Error("Packer's own file does not belong to a registry")
	}
}

// A newer plugin of the same schema may add fields; a rewrite by this one must keep them. Cause: those
// inside of images and files got lost. A known name in another case is such a field.
func TestMerge_keepsUnknownFields(t *testing.T) {
	body := `{"top": "kept 1", "Builds": "kept 6", "builds": [{
		"name": "app", "builder_type": "amazon-ebs", "artifact_id": "x", "packer_run_uuid": "run-1", "sbom": ["kept 3"],
		"files": [{"name": "a", "size": 1, "signature": "kept 4"}], "images": [{"id": "x", "boot_mode": {"kept": 5}}]
	}], "last_run_uuid": "run-1", "chain": {
		"schema": 1, "image": "snowflake", "fingerprint": "` + fingerprint + `", "seq": 1, "write_id": "w1", "Seq": "kept 7", "signature": {"kept": 2}
	}}`
	old, err := Parse([]byte(body))
	if err != nil {
		t.Fatal(err)
	}
	merged, _ := Merge(old, facts(), []Entry{entry("run-2", "app", "ami-0b1b2c3d4e5f60718")}, at(2), "w2")
	after, err := Encode(merged)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{`"kept 1"`, `"kept": 2`, `"kept 3"`, `"kept 4"`, `"kept": 5`, `"kept 6"`, `"kept 7"`} {
		if !strings.Contains(string(after), want) {
			t.Errorf("%s is lost:\n%s", want, after)
		}
	}
}

func TestAdvise(t *testing.T) {
	damaged := fmt.Errorf("read x: %w: not a JSON object", ErrCorrupt)
	for _, tt := range []struct {
		in   error
		want string
	}{
		{damaged, "read x: corrupt: not a JSON object\n\nRestore an older version of it. If there is none, delete it, and run " +
			"the builds that wrote it again."},
		{fmt.Errorf("%w\n\nRemove it.", damaged), "read x: corrupt: not a JSON object\n\nRemove it."},
		{errors.New("x"), "x"},
	} {
		if got := Advise(tt.in); got.Error() != tt.want || !errors.Is(got, tt.in) {
			t.Errorf("got %v, want %s", got, tt.want)
		}
	}
}
