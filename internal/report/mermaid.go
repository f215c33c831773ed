// SPDX-License-Identifier: MPL-2.0

package report

import (
	"fmt"
	"strings"
)

// classes are the statuses as names of Mermaid, with their colours. Each is readable on light and
// on dark pages.
var classes = []struct {
	status Status
	name   string
	style  string
}{
	{Current, "current", "fill:#dff3e4,stroke:#1f7a3d,color:#10331c"},
	{Unknown, "unknown", "fill:#e8e8ec,stroke:#60606c,color:#26262c"},
	{Outdated, "outdated", "fill:#fff0cf,stroke:#9a6700,color:#3d2a00"},
	{Incomplete, "incomplete", "fill:#ede6fb,stroke:#5b2bb0,color:#2a1456"},
	{Revoked, "revoked", "fill:#fde1e1,stroke:#b3261e,color:#4a0d0a"},
}

// Mermaid returns the chain as a flowchart, parents on the left. Names of images have no character
// that means something there.
func Mermaid(r Report) string {
	var out strings.Builder
	out.WriteString("flowchart LR\n")
	node := map[string]string{}
	for i, image := range r.Images {
		node[image.Name] = fmt.Sprintf("n%d", i)
		class := "unknown"
		for _, c := range classes {
			if c.status == image.Status {
				class = c.name
			}
		}
		fmt.Fprintf(&out, "  n%d[\"%s<br/>%s", i, image.Name, image.Status)
		for _, channel := range image.Worse() {
			fmt.Fprintf(&out, "<br/>%s is %s", channel.Name, channel.Status)
		}
		fmt.Fprintf(&out, "\"]:::%s\n", class)
	}
	for _, image := range r.Images {
		for _, parent := range image.Parents {
			if node[parent] != "" {
				fmt.Fprintf(&out, "  %s --> %s\n", node[parent], node[image.Name])
			}
		}
	}
	for _, c := range classes {
		fmt.Fprintf(&out, "  classDef %s %s\n", c.name, c.style)
	}
	return out.String()
}
