// SPDX-License-Identifier: MPL-2.0

package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
)

// shorten indents a JSON document and cuts it off after a number of lines.
func shorten(document []byte, lines int) string {
	var indented bytes.Buffer
	if err := json.Indent(&indented, document, "  ", "  "); err != nil {
		return "  " + string(document)
	}
	all := strings.Split(strings.TrimSpace(indented.String()), "\n")
	if len(all) > lines {
		all = append(all[:lines:lines], fmt.Sprintf("  … %d more lines", len(all)-lines))
	}
	return "  " + strings.Join(all, "\n")
}
