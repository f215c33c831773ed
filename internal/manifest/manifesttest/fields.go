// SPDX-License-Identifier: MPL-2.0

package manifesttest

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// evil are values that a shell, a page, a terminal or a path takes for more than text, or that have
// another type. [Leaks] finds each text.
var evil = []any{
	"$(reboot)", "`reboot`", `";reboot;"`, "'reboot'", "<img src=reboot>", "\x1b[2Jreboot",
	"reboot\nreboot", "../../reboot", "--reboot=1",
	1.5, -1, int64(1) << 62, true, nil, []any{"$(reboot)"}, map[string]any{"$(reboot)": "$(reboot)"},
}

// Leaks reports whether something of the documents of [Fields] is in a text.
func Leaks(text string) bool { return strings.Contains(text, "reboot") }

// Fields returns a good document with each of its fields missing, under another name, of another
// type, and as a text that is more than text: one at a time. Some of them are good documents.
func Fields(good []byte) []Document {
	var doc any
	if err := json.Unmarshal(good, &doc); err != nil {
		panic(err)
	}
	f := fields{doc: doc}
	f.walk("", doc)
	return f.all
}

type fields struct {
	doc any
	all []Document
}

func (f *fields) add(name string, value any) {
	body, err := json.Marshal(f.doc)
	if err != nil {
		panic(err)
	}
	f.all = append(f.all, Document{Name: fmt.Sprintf("%s = %#v", name, value), Body: body})
}

func (f *fields) walk(name string, at any) {
	switch node := at.(type) {
	case map[string]any:
		for _, key := range slices.Sorted(maps.Keys(node)) {
			f.change(name+"/"+key, node[key], func(value any) { node[key] = value })
			kept := node[key]
			delete(node, key)
			f.add(name+"/"+key, "missing")
			node["$(reboot)"] = kept
			f.add(name+"/"+key, "renamed")
			delete(node, "$(reboot)")
			node[key] = kept
		}
	case []any:
		for i := range node {
			f.change(fmt.Sprint(name, "/", i), node[i], func(value any) { node[i] = value })
		}
	}
}

func (f *fields) change(name string, kept any, set func(any)) {
	for _, value := range evil {
		set(value)
		f.add(name, value)
	}
	set(kept)
	f.walk(name, kept)
}
