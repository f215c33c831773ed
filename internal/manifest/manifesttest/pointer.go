// SPDX-License-Identifier: MPL-2.0

package manifesttest

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
)

// Commit is the commit of a good pointer.
const Commit = "70163b6b59743c27434f00312f8a9cc8b98a67d1"

// Pointer returns a channel as this plugin may write it, with every field that it can have. replace
// holds pairs of a text in it and the text that takes its place, once.
func Pointer(image, name, fingerprint string, replace ...string) []byte {
	body := fmt.Sprintf(goodPointer, image, name, fingerprint, ForeignAMI, Commit)
	for i := 0; i+1 < len(replace); i += 2 {
		body = swap(body, replace[i], replace[i+1])
	}
	return []byte(body)
}

const goodPointer = `{
  "schema": 1,
  "image": "%[1]s",
  "kind": "channel",
  "name": "%[2]s",
  "seq": 1,
  "write_id": "w1",
  "fingerprint": "%[3]s",
  "amis": {"eu-west-1": "%[4]s"},
  "manifest_seq": 1,
  "manifest_sha256": "",
  "ancestors": [{"image": "base", "fingerprint": "%[3]s", "amis": {"eu-west-1": "%[4]s"}}],
  "mark": {
    "commit": "%[5]s",
    "commit_time": "2026-01-02T03:04:05Z",
    "decided_at": "2026-01-02T03:04:05Z"
  },
  "held": [{"content": {"base": "%[5]s"}}],
  "moves": [
    {
      "kind": "forward",
      "fingerprint": "%[3]s",
      "builds": [
        {
          "source": "amazon-ebs.x",
          "packer_run_uuid": "run1",
          "amis": {"eu-west-1": "%[4]s"},
          "architecture": "x86_64"
        }
      ],
      "commit": "%[5]s",
      "commit_time": "2026-01-02T03:04:05Z",
      "decided_at": "2026-01-02T03:04:05Z",
      "content": {"x": "%[5]s"},
      "git_sha": "%[5]s",
      "origin": "github.com/acme/images//x",
      "line": {"kind": "branch", "name": "main"},
      "at": "2026-01-02T03:04:05Z",
      "by": "anna",
      "ci": {"provider": "github-actions", "build_id": "7", "build_url": "https://example.com/7"},
      "reason": "tested",
      "parameters": ["/images/x/latest"],
      "write_id": "w1"
    }
  ]
}
`

// Pointers returns bodies that must be refused as a channel of an image.
func Pointers(image, name, fingerprint string) []Document {
	good := string(Pointer(image, name, fingerprint))
	docs := append(Form(good),
		text("of another image", swap(good, `"image": "`+image+`"`, `"image": "other"`)),
		text("of another name", swap(good, `"name": "`+name+`"`, `"name": "other"`)),
		text("a line", swap(good, `"kind": "channel"`, `"kind": "line"`)),
		text("a fingerprint that leads away",
			strings.ReplaceAll(good, fingerprint, "../../other/builds/"+fingerprint)),
		text("a fingerprint that no move has", swap(good, `"fingerprint": "`+fingerprint+`"`,
			`"fingerprint": "`+strings.Repeat("e", len(fingerprint))+`"`)),
		text("AMIs that no move has", swap(good, ForeignAMI, "ami-0f0e1e19000000000")),
		text("more AMIs than the move has",
			swap(good, `"amis": {`, `"amis": {"us-east-1": "ami-0a1b2c3d", `)),
		text("no moves", with(good, "moves", []any{})),
		text("a manifest", `{"builds":[{"artifact_id":"x"}],"last_run_uuid":"","chain":{"schema":1}}`),
	)
	for _, field := range needed {
		docs = append(docs, text("without "+field, with(good, field, nil)))
	}
	for _, field := range texts {
		docs = append(docs, text(field+" of an object", with(good, field, map[string]any{"a": 1})))
	}
	for _, field := range others {
		docs = append(docs, text(field+" of text", with(good, field, "x")))
	}
	for _, field := range checked {
		for _, evil := range []string{"$(reboot)", "\x1b[2J", "../../x", "x\n", "--output=x"} {
			docs = append(docs, text(fmt.Sprintf("%s of %q", field, evil), with(good, field, evil)))
		}
	}
	for _, evil := range []string{"eu-west-1.example.com/", "eu-west-1\x00", "", "../x"} {
		amis := map[string]any{evil: ForeignAMI}
		both := with(with(good, "amis", amis), "moves/0/builds/0/amis", amis)
		docs = append(docs, text(fmt.Sprintf("AMIs in %q", evil), both))
	}
	return docs
}

var (
	// needed are the fields without which a pointer is none.
	needed = []string{
		"schema", "image", "kind", "name", "seq", "write_id", "fingerprint", "amis", "moves",
		"moves/0/fingerprint", "moves/0/builds", "moves/0/builds/0/amis",
	}
	// texts and others are all fields, by their type.
	texts = []string{
		"image", "kind", "name", "write_id", "fingerprint", "amis/eu-west-1", "manifest_sha256",
		"ancestors/0/image", "ancestors/0/fingerprint", "ancestors/0/amis/eu-west-1",
		"mark/commit", "mark/commit_time", "mark/decided_at", "held/0/content/base",
		"moves/0/kind", "moves/0/fingerprint", "moves/0/builds/0/source",
		"moves/0/builds/0/packer_run_uuid", "moves/0/builds/0/amis/eu-west-1", "moves/0/commit",
		"moves/0/commit_time", "moves/0/decided_at", "moves/0/content/x", "moves/0/git_sha",
		"moves/0/origin", "moves/0/line/kind", "moves/0/line/name",
		"moves/0/builds/0/architecture", "moves/0/at", "moves/0/by", "moves/0/ci/provider",
		"moves/0/ci/build_id", "moves/0/ci/build_url", "moves/0/reason", "moves/0/parameters/0",
		"moves/0/write_id",
	}
	others = []string{
		"schema", "seq", "amis", "manifest_seq", "ancestors", "ancestors/0", "ancestors/0/amis", "mark",
		"held", "held/0", "held/0/content", "moves", "moves/0", "moves/0/builds", "moves/0/builds/0",
		"moves/0/builds/0/amis", "moves/0/content", "moves/0/line", "moves/0/ci", "moves/0/parameters",
	}
	// checked are those that go into addresses, requests and commands.
	checked = []string{
		"image", "kind", "name", "fingerprint", "amis/eu-west-1", "mark/commit", "moves/0/fingerprint",
		"moves/0/builds/0/amis/eu-west-1", "moves/0/commit",
	}
)

// with returns a document with another value of a field, or without it if the value is nil. A field
// is the path to it, such as "moves/0/commit". It panics if there is no such field.
func with(good, field string, value any) string {
	var doc any
	if err := json.Unmarshal([]byte(good), &doc); err != nil {
		panic(err)
	}
	keys := strings.Split(field, "/")
	last := len(keys) - 1
	at := doc
	for _, key := range keys[:last] {
		at = child(at, key)
	}
	child(at, keys[last])
	switch parent := at.(type) {
	case []any:
		i, _ := strconv.Atoi(keys[last])
		parent[i] = value
	case map[string]any:
		parent[keys[last]] = value
		if value == nil {
			delete(parent, keys[last])
		}
	}
	body, err := json.MarshalIndent(doc, "", "  ")
	if err != nil {
		panic(err)
	}
	return string(body)
}

func child(of any, key string) any {
	switch parent := of.(type) {
	case []any:
		if i, err := strconv.Atoi(key); err == nil && i < len(parent) {
			return parent[i]
		}
	case map[string]any:
		if value, there := parent[key]; there {
			return value
		}
	}
	panic(fmt.Sprintf("no %q in %v", key, of))
}
