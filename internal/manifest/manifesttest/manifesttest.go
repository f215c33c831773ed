// SPDX-License-Identifier: MPL-2.0

// Package manifesttest makes documents for tests that someone else may have put in place of ours:
// damaged ones, ones of another image or schema, and ones that look right but name what is not
// ours. No plugin code imports it.
package manifesttest

import (
	"bytes"
	"fmt"
	"strings"

	"github.com/packer-chain/packer-plugin-chain/internal/manifest"
)

// ForeignAMI is an AMI that no test account owns.
const ForeignAMI = "ami-0f0e1e190000000ff"

// Document is one body.
type Document struct {
	Name string
	Body []byte
	// Newer is true for a document of a newer schema, which is not damaged.
	Newer bool
}

// Form returns bodies that are not a valid document of any kind, made from a good one.
func Form(good string) []Document {
	cut := len(good) / 2
	docs := []Document{
		text("empty", ""), text("space", " \n\t"), text("null", "null"), text("list", "["+good+"]"),
		text("number", "1"), text("text", `"`+ForeignAMI+`"`),
		text("not JSON", "<Error><Code>NoSuchKey</Code></Error>"),
		text("cut", good[:cut]), text("cut by a byte", strings.TrimSuffix(strings.TrimSpace(good), "}")),
		text("doubled", good+good), text("data behind", good+"x"), text("byte order mark", "\ufeff"+good),
		text("NUL bytes", strings.Repeat("\x00", 100)), text("NUL behind", good+"\x00"),
		text("NUL in a text", strings.Replace(good, `"write_id": "`, "\"write_id\": \"\x00", 1)),
		text("not UTF-8", strings.Replace(good, `"write_id": "`, "\"write_id\": \"\xff\xfe", 1)),
		text("UTF-16", "\xff\xfe{\x00}\x00"),
		text("deep lists", open(good)+`"x":`+strings.Repeat("[", 10_000)+strings.Repeat("]", 10_000)+"}"),
		text("deep objects", strings.Repeat(`{"a":`, 100_000)),
		text("a key twice", open(good)+`"twice":1,"twice":2}`),
		text("a key twice in different bytes", open(good)+`"twice":1,"\u0074wice":2}`),
		text("huge", open(good)+`"x":"`+strings.Repeat("x", manifest.MaxSize)+`"}`),
		text("schema of text", swap(good, `"schema": 1`, `"schema": "one"`)),
		text("schema of a fraction", swap(good, `"schema": 1`, `"schema": 1.5`)),
		text("no schema", swap(good, `"schema": 1`, `"schema": 0`)),
		text("seq of 0", swap(good, `"seq": 1`, `"seq": 0`)),
		text("seq below 0", swap(good, `"seq": 1`, `"seq": -1`)),
		text("seq of text", swap(good, `"seq": 1`, `"seq": "1"`)),
		text("seq of 1e30", swap(good, `"seq": 1`, `"seq": 1e30`)),
		text("the largest seq", swap(good, `"seq": 1`, `"seq": 9223372036854775807`)),
		text("seq beyond an int64", swap(good, `"seq": 1`, `"seq": 9223372036854775808`)),
		text("no write_id", swap(good, `"write_id": "`, `"write_ID": "`)),
		text("write_id of a list", swap(good, `"write_id": "`, `"write_id": [], "other": "`)),
	}
	changed := swap(good, `"seq": 1`, `"seq": "of another type"`)
	newer := text("newer schema", swap(changed, `"schema": 1`, `"schema": 2`))
	newer.Newer = true
	return append(docs, newer)
}

// Manifests returns bodies that must be refused as the manifest of an image and fingerprint. They
// are made from a good one, as [manifest.Encode] writes it.
func Manifests(good []byte, image, fingerprint string) []Document {
	ours := string(good)
	eu := func(id string) string { return `{"provider":"aws","region":"eu-west-1","id":"` + id + `"}` }
	at := func(region string) string {
		return `{"provider":"aws","region":"` + region + `","id":"` + ForeignAMI + `"}`
	}
	return append(Form(ours),
		text("of another image", swap(ours, `"image": "`+image+`"`, `"image": "other"`)),
		text("of an image above", swap(ours, `"image": "`+image+`"`, `"image": "../`+image+`"`)),
		text("of an image with a newline",
			swap(ours, `"image": "`+image+`"`, `"image": "`+image+`\n"`)),
		text("of another fingerprint", strings.ReplaceAll(ours, fingerprint, strings.Repeat("e", 64))),
		text("no fingerprint", strings.ReplaceAll(ours, fingerprint, "")),
		text("no builds", `{"builds":[],`+afterBuilds(ours)),
		text("builds of null", `{"builds":null,`+afterBuilds(ours)),
		text("builds of an object", `{"builds":{},`+afterBuilds(ours)),
		text("builds of numbers", `{"builds":[1,2],`+afterBuilds(ours)),
		text("builds in another case", swap(ours, `"builds"`, `"Builds"`)),
		text("Packer's own",
			`{"builds":[{"artifact_id":"eu-west-1:`+ForeignAMI+`"}],"last_run_uuid":""}`),
		text("a pointer", string(Pointer(image, "latest", fingerprint))),
		text("an AMI with a newline", withImage(ours, eu(ForeignAMI+`\n`))),
		text("an AMI of shell", withImage(ours, eu("$(reboot)"))),
		text("an AMI in no region", withImage(ours, at("eu-west-1.example.com/"))),
		text("an AMI in a region with NUL", withImage(ours, at(`eu-west-1\u0000`))),
		text("an image without id", withImage(ours, `{"provider":"docker"}`)),
		text("images of text", withImage(ours, `"`+ForeignAMI+`"`)),
		text("an invalid time", inChain(ours, `"updated_at": "2026-02-30T25:61:00Z"`)),
		text("a time after 9999", inChain(ours, `"updated_at": "10000-01-01T00:00:00Z"`)),
		text("a time of a number", inChain(ours, `"updated_at": 1790000000`)),
		text("AMIs of a list", inChain(ours, `"amis": ["`+ForeignAMI+`"]`)),
		text("parents of an object", inChain(ours, `"parents": {"image":"x"}`)),
	)
}

// ManyBuilds adds as many builds to a good manifest as fit into size bytes. It returns the manifest
// and how many it added.
func ManyBuilds(good []byte, size int) (body []byte, n int) {
	var builds bytes.Buffer
	for builds.Len()+len(good) < size-64 {
		fmt.Fprintf(&builds, `{"name":"%x"},`, n)
		n++
	}
	return []byte(swap(string(good), `"builds": [`, `"builds": [`+builds.String())), n
}

func text(name, body string) Document { return Document{Name: name, Body: []byte(body)} }

// swap replaces old. It panics if body does not contain it: the document would be a good one.
func swap(body, old, with string) string {
	if !strings.Contains(body, old) {
		panic(fmt.Sprintf("%q is not in %s", old, body))
	}
	return strings.Replace(body, old, with, 1)
}

// open returns a good document without its end, ready for another field.
func open(good string) string {
	return strings.TrimSuffix(strings.TrimSpace(good), "}") + ","
}

func afterBuilds(body string) string {
	const mark = `"last_run_uuid"`
	_, rest, _ := strings.Cut(body, mark)
	return mark + rest
}

func withImage(good, image string) string {
	return swap(good, `"builds": [`, `"builds": [{"name":"x","images":[`+image+`]},`)
}

// inChain replaces a field of the chain.
func inChain(good, field string) string {
	name, _, _ := strings.Cut(field, ":")
	renamed := `"x-` + strings.Trim(name, `"`) + `"`
	good = swap(good, "\n    "+name+":", "\n    "+renamed+":")
	return swap(good, `"schema": 1,`, `"schema": 1, `+field+`,`)
}
