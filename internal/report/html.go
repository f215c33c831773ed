// SPDX-License-Identifier: MPL-2.0

package report

import (
	"bytes"
	"crypto/sha256"
	_ "embed"
	"encoding/base64"
	"errors"
	"html/template"
	"io"
	"sort"
	"strings"
)

var (
	//go:embed chain.html.tmpl
	pageSource string
	//go:embed chain.css
	styleSource string
	//go:embed chain.js
	scriptSource string
)

// maxPage is how large chain.html becomes at most, if that can be reached by showing less history.
const maxPage = 1_998_000

// details are how much the page shows of each channel: the first of these with which it is small
// enough.
var details = []struct {
	moves int
	lean  bool
}{{10, false}, {10, true}, {5, true}, {3, true}, {2, true}, {1, true}, {0, true}}

// Everything in a report was written by others. html/template escapes it, and should that ever
// fail, the policy lets nothing run but this script, and nothing be fetched at all.
var (
	style  = compact(styleSource)
	script = compact(scriptSource)
	policy = "default-src 'none'; base-uri 'none'; form-action 'none'; " +
		"style-src '" + sourceHash(style) + "'; script-src '" + sourceHash(script) + "'"
	chainPage = template.Must(template.New("chain.html").Funcs(template.FuncMap{
		"class": statusClass, "short": short, "link": link, "clock": clock, "stamp": stamp,
		"bytes": byteCount, "first": first,
	}).Parse(strings.ReplaceAll(compact(pageSource), "POLICY", policy)))
)

// HTML writes chain.html: one file that needs nothing else, for people.
func HTML(w io.Writer, r Report) error {
	p := newPage(r)
	var out bytes.Buffer
	var err error
	fits := func(i int) bool {
		p.showMoves(details[i].moves, details[i].lean)
		out.Reset()
		err = errors.Join(err, chainPage.Execute(&out, p))
		return out.Len() <= maxPage
	}
	if !fits(0) {
		// What is left to try halves each time: to render a large page takes a while.
		fits(1 + sort.Search(len(details)-2, func(i int) bool { return fits(1 + i) }))
	}
	if err != nil {
		return err
	}
	_, err = w.Write(out.Bytes())
	return err
}

// compact returns a source without indentation and blank lines.
func compact(source string) string {
	var lines []string
	for line := range strings.Lines(source) {
		if line = strings.TrimSpace(line); line != "" {
			lines = append(lines, line)
		}
	}
	return strings.Join(lines, "\n")
}

// sourceHash returns the name that a content security policy has for an inline source.
func sourceHash(source string) string {
	sum := sha256.Sum256([]byte(source))
	return "sha256-" + base64.StdEncoding.EncodeToString(sum[:])
}
