// SPDX-License-Identifier: MPL-2.0

package parent

import (
	"slices"
)

// What the output "status" says.
const (
	statusCurrent  = "current"
	statusOutdated = "outdated"
	statusUnknown  = "unknown"
)

// status returns whether the ancestors are what the channels point at that they came from, and
// those that are not.
func (p *parent) status() (status string, outdated []string) {
	outdated = []string{}
	if p.way != wayRegistry {
		return statusUnknown, outdated
	}
	status = statusCurrent
	for _, a := range p.facts.Ancestors {
		channel := p.channels[ancestorChannel{a.Image, a.Channel}]
		switch {
		case channel == nil:
			status = statusUnknown
		case !channel.Current().Is(a.Fingerprint, a.AMIs) && !slices.Contains(outdated, a.Image):
			outdated = append(outdated, a.Image)
		}
	}
	if len(outdated) > 0 {
		status = statusOutdated
	}
	return status, outdated
}

// cameFrom returns the channel by which the parent is found to be up to date or not, or "".
func (p *parent) cameFrom(c Config) string {
	if p.way != wayRegistry || c.Fingerprint != "" {
		return ""
	}
	return c.channel()
}
