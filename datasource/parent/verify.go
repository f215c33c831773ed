// SPDX-License-Identifier: MPL-2.0

package parent

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"golang.org/x/sync/errgroup"

	"github.com/packer-chain/packer-plugin-chain/internal/access"
	"github.com/packer-chain/packer-plugin-chain/internal/ami"
	"github.com/packer-chain/packer-plugin-chain/internal/crash"
	"github.com/packer-chain/packer-plugin-chain/internal/manifest"
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
	if s.config.Kind == kindArtifact {
		return s.artifact(ctx, found)
	}
	ids, isAMI := found.amiIDs(s.config.Source)
	if !isAMI && found.tagged == nil {
		return nil, fmt.Errorf("%s names no AMI, and kind is \"ami\"\n\nIf the image is not an AMI, "+
			"set kind = \"artifact\": then its id is as trustworthy as everybody who can write that file. "+
			"If it is one, somebody has changed the file: build the image again.", found.uri)
	}
	ec2, err := s.conn.EC2()
	if err != nil {
		return nil, err
	}
	if found.tagged != nil {
		return &parent{found, ec2.Region, found.tagged}, nil
	}
	regions := s.regions(ec2.Region)
	unasked := s.unasked(found)
	var seen map[ami.Address]ami.Image
	var more ancestry
	group, both := errgroup.WithContext(ctx)
	group.Go(crash.Guard("read the ancestors", func() (err error) {
		more, err = s.readAncestors(both, unasked)
		return err
	}))
	group.Go(crash.Guard("look up the parent", func() (err error) {
		ask := merge(inRegions(ids, regions), below(s.suspects(unasked), regions))
		seen, err = s.lookUp(both, ec2, ask, found)
		return err
	}))
	if err := group.Wait(); err != nil {
		return nil, err
	}
	found.learn(s.suspects(unasked), seen, more)
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

// artifact checks a candidate that is no AMI. Nothing can be looked up, so all that counts is
// that it does not pretend.
func (s search) artifact(ctx context.Context, found candidate) (*parent, error) {
	found = found.of(s.config.Source)
	_, isAMI := found.amiIDs("")
	id := found.artifactID()
	switch {
	case len(found.entries) == 0:
		return nil, missingf("%s has no build of source %s", found.uri, s.config.Source)
	case isAMI || slices.ContainsFunc(found.entries, manifest.Entry.HidesAMI):
		return nil, fmt.Errorf("%s is of an AMI, and kind is \"artifact\"\n\nSet kind = \"ami\": only "+
			"then EC2 is asked whether that AMI exists and is yours.", found.uri)
	case id != "" && !manifest.IsID(id):
		return nil, fmt.Errorf("%s has the artifact id %.80q, which has characters that are not safe in "+
			"a script\n\nBuild the image again, with another name.", found.uri, id)
	}
	unasked := s.unasked(found)
	if len(unasked) == 0 {
		return &parent{candidate: found}, nil
	}
	var seen map[ami.Address]ami.Image
	if suspects := s.suspects(unasked); hasAMIs(suspects) {
		ec2, err := s.conn.EC2()
		if err == nil {
			seen, err = s.lookUp(ctx, ec2, below(suspects, s.regions(ec2.Region)), found)
		}
		if err != nil {
			return nil, err
		}
	}
	more, err := s.readAncestors(ctx, unasked)
	found.learn(s.suspects(unasked), seen, more)
	return &parent{candidate: found}, err
}

// learn adds what EC2 and the registry say of more ancestors.
func (c *candidate) learn(
	of []manifest.Ancestor, seen map[ami.Address]ami.Image, more ancestry,
) {
	c.revokedBelow = cmp.Or(c.revokedBelow, revokedBelow(of, seen, more.builds))
	all := maps.Clone(more.channels)
	maps.Copy(all, c.channels)
	c.channels = all
}

// lookUp returns what EC2 says of AMIs, by region. It asks only for those that it has not shown
// before, and waits for those that were created minutes ago.
func (s search) lookUp(
	ctx context.Context, ec2 access.EC2, ids map[string][]string, found candidate,
) (map[ami.Address]ami.Image, error) {
	ask := map[string][]string{}
	for region, wanted := range ids {
		for _, id := range wanted {
			if _, known := found.seen[ami.Address{Region: region, ID: id}]; !known {
				ask[region] = append(ask[region], id)
			}
		}
	}
	all, err := ec2.Lookup(ctx, ask, s.config.Owners, ami.BirthsOf(found.entries))
	maps.Copy(all, found.seen)
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
		if ok && fits && s.usable(image) {
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

// usable reports whether an AMI can be used. With allow_revoked, one that was disabled by a
// revocation can: it can be restored.
func (s search) usable(image ami.Image) bool {
	_, revoked := ami.RevokedReason(image)
	return ami.Problem(image) == "" || s.config.AllowRevoked && revoked && image.Disabled()
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
