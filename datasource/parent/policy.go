// SPDX-License-Identifier: MPL-2.0

package parent

import (
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/packer-chain/packer-plugin-chain/internal/ami"
	"github.com/packer-chain/packer-plugin-chain/internal/manifest"
	"github.com/packer-chain/packer-plugin-chain/internal/text"
)

// checkPolicy returns an error if nothing may be built on a parent although it exists.
func (p *parent) checkPolicy(c Config, now time.Time) error {
	if p.way == wayFallback {
		return nil
	}
	if p.revokedBelow != "" && !c.AllowRevoked {
		return p.refused(p.revokedBelow, "Build that image again, then what is built on it, in order; "+
			"or set allow_revoked = true.")
	}
	if missing := p.lacks(c.RequireAncestors); len(missing) > 0 {
		return p.refused("it is not built on "+text.List(missing),
			"Build it on that, or remove it from require_ancestors.")
	}
	for _, region := range slices.Sorted(maps.Keys(p.amis)) {
		image := p.amis[region]
		flaw := ami.Judge(image, now, c.AllowDeprecated, c.AllowRevoked)
		if flaw.Text != "" {
			return p.refused(image.String()+" "+flaw.Text,
				"Build the image again, or set "+flaw.Option+" = true.")
		}
	}
	return p.checkAge(c.MaxAge, now)
}

// lacks returns those of the images that the parent is not built on.
func (p *parent) lacks(wanted []string) []string {
	return slices.DeleteFunc(slices.Clone(wanted), func(image string) bool {
		return slices.ContainsFunc(p.facts.Ancestors, func(a manifest.Ancestor) bool {
			return a.Image == image
		})
	})
}

func (p *parent) checkAge(maxAge time.Duration, now time.Time) error {
	if maxAge == 0 {
		return nil
	}
	created := p.createdAt()
	if created.IsZero() {
		return p.refused("its age is unknown", "Build the image again, or remove max_age.")
	}
	if age := now.Sub(created); age > maxAge {
		why := fmt.Sprintf("it is %s old, older than max_age %s", age.Round(time.Minute), maxAge)
		return p.refused(why, "Build the image again, or raise max_age.")
	}
	return nil
}

// createdAt returns when the oldest part of the parent was made. It is zero if no part has a time,
// or if one AMI has none.
func (p *parent) createdAt() time.Time {
	if len(p.amis) == 0 {
		return p.builtAt()
	}
	oldest := slices.MinFunc(slices.Collect(maps.Values(p.amis)), func(a, b ami.Image) int {
		return a.CreatedAt.Compare(b.CreatedAt)
	})
	return oldest.CreatedAt
}

func (c candidate) refused(why, remedy string) error {
	where := c.uri
	if where == "" {
		where = "found by " + c.way
	}
	return &refusal{why + " (" + where + ")\n\n" + remedy}
}

// refusal means that the parent exists, and that nothing may be built on it.
type refusal struct{ text string }

func (e *refusal) Error() string { return e.text }
