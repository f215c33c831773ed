// SPDX-License-Identifier: MPL-2.0

package parent

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/packer-chain/packer-plugin-chain/internal/access"
	"github.com/packer-chain/packer-plugin-chain/internal/ami"
	"github.com/packer-chain/packer-plugin-chain/internal/text"
)

// parent is a candidate whose AMIs exist.
type parent struct {
	candidate
	// region is that of the session; amis are the AMIs that were checked, by region. Both are empty
	// for an image that is not an AMI.
	region string
	amis   map[string]ami.Image
}

// verify checks the AMIs of a candidate: each region must have one that is available, and belongs
// to owners. A manifest is never trusted blindly.
func (s search) verify(ctx context.Context, found candidate) (*parent, error) {
	ids, isAMI := found.amiIDs(s.config.Source)
	if !isAMI && found.tagged == nil {
		return &parent{candidate: found}, nil
	}
	ec2, err := s.conn.EC2()
	if err != nil {
		return nil, err
	}
	if found.tagged != nil {
		return &parent{found, ec2.Region, found.tagged}, nil
	}
	regions := s.regions(ec2.Region)
	seen, err := s.lookUp(ctx, ec2, regions, ids, found.seen)
	if err != nil {
		return nil, err
	}
	amis := map[string]ami.Image{}
	for _, region := range regions {
		image, err := s.onlyUsable(ctx, ec2, found.uri, region, ids[region], seen)
		if err != nil {
			return nil, err
		}
		amis[region] = image
	}
	return &parent{found, ec2.Region, amis}, nil
}

// lookUp returns what EC2 says of the AMIs in the wanted regions. It asks only for those that seen
// lacks.
func (s search) lookUp(
	ctx context.Context, ec2 access.EC2,
	regions []string, ids map[string][]string, seen map[ami.Address]ami.Image,
) (map[ami.Address]ami.Image, error) {
	ask := map[string][]string{}
	for _, region := range regions {
		for _, id := range ids[region] {
			if _, known := seen[ami.Address{Region: region, ID: id}]; !known {
				ask[region] = append(ask[region], id)
			}
		}
	}
	all, err := ec2.Lookup(ctx, ask, s.config.Owners)
	maps.Copy(all, seen)
	return all, err
}

// onlyUsable returns the one AMI of a region that can be used. ids are those that the manifest at
// uri names.
func (s search) onlyUsable(
	ctx context.Context, ec2 access.EC2,
	uri, region string, ids []string, seen map[ami.Address]ami.Image,
) (ami.Image, error) {
	var usable []ami.Image
	for _, id := range slices.Compact(slices.Sorted(slices.Values(ids))) {
		image, ok := seen[ami.Address{Region: region, ID: id}]
		fits := s.config.Architecture == "" || image.Architecture == s.config.Architecture
		if ok && fits && ami.Problem(image) == "" {
			usable = append(usable, image)
		}
	}
	image, err := choose(region, usable)
	switch {
	case err != nil:
		return ami.Image{}, err
	case len(usable) > 1:
		return ami.Image{}, fmt.Errorf(
			"%s has several AMIs in %s: %s\n\nSet source to one of its sources.",
			uri, region, strings.Join(idsOf(usable), ", "))
	case len(usable) == 0:
		return ami.Image{}, s.noneUsable(ctx, ec2, uri, region, ids)
	}
	return image, nil
}

// noneUsable returns why none of the AMIs that a manifest names in a region can be used.
func (s search) noneUsable(
	ctx context.Context, ec2 access.EC2, uri, region string, ids []string,
) error {
	if len(ids) == 0 {
		return missingf("%s has no AMI in %s", uri, region)
	}
	var why []string
	for _, id := range ids {
		why = append(why, id+" "+ec2.Explain(ctx, region, id, s.config.Owners))
	}
	wanted := ""
	if s.config.Architecture != "" {
		wanted = " (wanted: " + s.config.Architecture + ")"
	}
	return missingf("%s names no usable AMI in %s: %s%s", uri, region, strings.Join(why, "; "), wanted)
}

// choose returns the newest of the images, if they are of one architecture, and the zero image if
// there are none.
func choose(region string, images []ami.Image) (ami.Image, error) {
	architectures := map[string]bool{}
	var texts []string
	for _, image := range images {
		architectures[image.Architecture] = true
		texts = append(texts, image.ID+" "+image.Architecture)
	}
	if len(architectures) > 1 {
		slices.Sort(texts)
		return ami.Image{}, fmt.Errorf(
			"found AMIs for several architectures in %s: %s\n\nSet architecture.",
			region, strings.Join(texts, ", "))
	}
	newest, _ := ami.Newest(images)
	return newest, nil
}

func idsOf(images []ami.Image) []string {
	ids := make([]string, len(images))
	for i, image := range images {
		ids[i] = image.ID
	}
	return ids
}

// checkPolicy returns an error if nothing may be built on a parent although it exists.
func (p *parent) checkPolicy(c Config, now time.Time) error {
	if p.way == wayFallback {
		return nil
	}
	if p.revoked != "" && !c.AllowRevoked {
		return p.refused("it is revoked"+because(p.revoked),
			"Build the parent again, or set allow_revoked = true.")
	}
	for _, region := range slices.Sorted(maps.Keys(p.amis)) {
		image := p.amis[region]
		if reason, revoked := ami.RevokedReason(image); revoked && !c.AllowRevoked {
			return p.refused(fmt.Sprintf("%s is revoked%s", image, because(reason)),
				"Build the parent again, or set allow_revoked = true.")
		}
		if image.Deprecated(now) && !c.AllowDeprecated {
			since := image.DeprecatedAt.UTC().Format(time.RFC3339)
			return p.refused(fmt.Sprintf("%s has been deprecated since %s", image, since),
				"Build the parent again, or set allow_deprecated = true.")
		}
	}
	return p.checkAge(c.MaxAge, now)
}

func (p *parent) checkAge(maxAge time.Duration, now time.Time) error {
	if maxAge == 0 {
		return nil
	}
	created := p.createdAt()
	if created.IsZero() {
		return p.refused("its age is unknown", "Build the parent again, or remove max_age.")
	}
	if age := now.Sub(created); age > maxAge {
		why := fmt.Sprintf("it is %s old, older than max_age %s", age.Round(time.Minute), maxAge)
		return p.refused(why, "Build the parent again, or raise max_age.")
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

// because returns a reason as the end of a sentence. It comes from a tag or a document, and may be
// anything.
func because(reason string) string {
	if reason = text.OneLine(reason); reason == "" {
		return ""
	}
	return ": " + reason
}

func (p *parent) refused(why, remedy string) error {
	where := p.uri
	if where == "" {
		where = "found by " + p.way
	}
	return &refusal{why + " (" + where + ")\n\n" + remedy}
}

// refusal means that the parent exists, and that nothing may be built on it.
type refusal struct{ text string }

func (e *refusal) Error() string { return e.text }
