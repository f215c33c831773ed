// SPDX-License-Identifier: MPL-2.0

package revoke

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	packersdk "github.com/hashicorp/packer-plugin-sdk/packer"
	"golang.org/x/sync/errgroup"

	"github.com/packer-chain/packer-plugin-chain/internal/access"
	"github.com/packer-chain/packer-plugin-chain/internal/ami"
	"github.com/packer-chain/packer-plugin-chain/internal/crash"
	"github.com/packer-chain/packer-plugin-chain/internal/manifest"
	"github.com/packer-chain/packer-plugin-chain/internal/record"
	"github.com/packer-chain/packer-plugin-chain/internal/registry"
	"github.com/packer-chain/packer-plugin-chain/internal/tags"
	"github.com/packer-chain/packer-plugin-chain/internal/text"
)

// retirement is one run of the post-processor. Nothing in it changes.
type retirement struct {
	config Config
	ui     packersdk.Ui
	rec    record.Record
	conn   *access.Connection
	reg    *registry.Registry
	change manifest.Change
}

// revoke marks the build in the registry first: from then on nothing is built on it. Then it tags
// the AMIs, and deprecates or disables them. Last it looks whether a channel was moved to the image
// meanwhile.
func (r retirement) revoke(ctx context.Context) error {
	before, err := r.look(ctx)
	if err != nil {
		return err
	}
	if len(before.channels) > 0 && !r.config.Force {
		return pinned(before.channels)
	}
	mark := manifest.Revocation{Change: r.change}
	if r.config.EC2 != none {
		mark.EC2 = []string{r.config.EC2}
	}
	if mark.Did(manifest.EC2Deprecate) {
		mark.DeprecatedAt = before.deprecatedAt()
	}
	if mark.Did(manifest.EC2Disable) {
		mark.DisabledBefore = before.disabled()
	}
	stored, err := r.reg.Revoke(ctx, r.rec.Image, r.rec.Pointer.Target, mark)
	if err != nil {
		return err
	}
	r.ui.Say(fmt.Sprintf("%s is revoked: %s", r.rec.Image, text.OneLine(r.config.Reason)))
	r.ui.Say("manifest: " + stored.URI)
	if err := errors.Join(r.eachRegion(ctx, before.images, r.retire), before.missed()); err != nil {
		return err
	}
	if r.config.Force {
		return nil
	}
	now, err := r.reg.ChannelsAt(ctx, r.rec.Image, r.rec.Pointer.Target)
	if err == nil && len(now) > 0 {
		err = fmt.Errorf("the image is revoked, and meanwhile another run has moved a channel to it: "+
			"whoever reads that gets an error\n\n%s\n\n%s", channels(now), ways)
	}
	return err
}

// ways are the two ways on for a channel that points at an image which has to go.
const ways = "Build the image again, which moves the channels of its template, or move a channel " +
	"back: data \"chain\" with channel and previous = 1, and allow_rollback = true in the " +
	"post-processor \"chain\"."

// pinned returns the error for an image that channels point at.
func pinned(at []*registry.Pointer) error {
	return fmt.Errorf("a channel points at it, so whoever reads that would get an error. Nothing was "+
		"changed.\n\n%s\n\n%s Then revoke the image. With force = true it is revoked all the same.",
		channels(at), ways)
}

// channels lists channels, each with the template that has moved it.
func channels(at []*registry.Pointer) string {
	lines := make([]string, len(at))
	for i, pointer := range at {
		lines[i] = "  " + pointer.ID().String()
		if origin := pointer.Current().Origin; origin != "" {
			lines[i] += ", an image of the template in " + text.OneLine(origin)
		}
	}
	return strings.Join(lines, "\n")
}

// found is how an image is before it is revoked.
type found struct {
	// images are its AMIs that still exist, by region.
	images map[string][]ami.Image
	// others are AMIs that exist and cannot be changed, and why.
	others []string
	// channels are those that point at it.
	channels []*registry.Pointer
}

// look finds out how the image is: EC2 and the registry are asked concurrently.
func (r retirement) look(ctx context.Context) (found, error) {
	var before found
	group, ctx := errgroup.WithContext(ctx)
	group.Go(crash.Guard("look up the AMIs", func() (err error) {
		before.images, before.others, err = r.images(ctx)
		return err
	}))
	if !r.config.Force && !r.config.Restore {
		group.Go(crash.Guard("read the channels", func() (err error) {
			before.channels, err = r.reg.ChannelsAt(ctx, r.rec.Image, r.rec.Pointer.Target)
			if err != nil {
				return fmt.Errorf("find out which channels point at it: %w", err)
			}
			return nil
		}))
	}
	err := group.Wait()
	return before, err
}

// images returns the AMIs of the image that exist and are ours, by region, in any state. One that
// is gone needs nothing any more. others are those that exist, or may, and are not ours.
func (r retirement) images(
	ctx context.Context,
) (images map[string][]ami.Image, others []string, err error) {
	ids := manifest.AMIsByRegion(r.rec.Entries)
	if len(ids) == 0 {
		return nil, nil, nil
	}
	ec2, err := r.conn.EC2()
	if err != nil {
		return nil, nil, err
	}
	births := ami.BirthsOf(r.rec.Entries)
	seen, err := ec2.Lookup(ctx, ids, r.rec.Pointer.Owners, births)
	if err != nil {
		return nil, nil, err
	}
	images = map[string][]ami.Image{}
	for _, region := range slices.Sorted(maps.Keys(ids)) {
		for _, id := range ids[region] {
			at := ami.Address{Region: region, ID: id}
			if image, exists := seen[at]; exists {
				images[region] = append(images[region], image)
				continue
			}
			why := text.OneLine(ec2.Explain(ctx, region, id, r.rec.Pointer.Owners))
			if strings.HasPrefix(why, ami.Gone) {
				r.ui.Error(fmt.Sprintf("warning: %s %s", at, why))
				continue
			}
			others = append(others, fmt.Sprintf("  %s %s", at, why))
		}
	}
	return images, others, nil
}

// missed returns an error if AMIs were left alone although they exist.
func (f found) missed() error {
	if len(f.others) == 0 {
		return nil
	}
	return fmt.Errorf("these AMIs were left alone, and can still be started:\n\n%s\n\nRun it with "+
		"the credentials of the account that owns them.", strings.Join(f.others, "\n"))
}

// disabled returns the AMIs that nobody can start already, by region and id.
func (f found) disabled() []string {
	var keys []string
	for _, images := range f.images {
		for _, image := range images {
			if image.Disabled() {
				keys = append(keys, keyOf(image))
			}
		}
	}
	slices.Sort(keys)
	return keys
}

// deprecatedAt returns when the AMIs will be deprecated anyway, or are, by region and id.
func (f found) deprecatedAt() map[string]time.Time {
	at := map[string]time.Time{}
	for _, images := range f.images {
		for _, image := range images {
			if !image.DeprecatedAt.IsZero() {
				at[keyOf(image)] = image.DeprecatedAt
			}
		}
	}
	return at
}

// keyOf returns the key of an AMI in [manifest.Revocation.DeprecatedAt].
func keyOf(image ami.Image) string { return image.Region + "/" + image.ID }

func (r retirement) eachRegion(
	ctx context.Context, images map[string][]ami.Image,
	do func(ctx context.Context, ec2 access.EC2, image ami.Image) error,
) error {
	if len(images) == 0 {
		return nil
	}
	ec2, err := r.conn.EC2()
	if err != nil {
		return err
	}
	return ami.EachRegion(ctx, slices.Sorted(maps.Keys(images)), ami.MaxRegions,
		func(ctx context.Context, region string) error {
			for _, image := range images[region] {
				if err := do(ctx, ec2, image); err != nil {
					return err
				}
			}
			return nil
		})
}

// retire tags an AMI, and does to it what ec2 says.
func (r retirement) retire(ctx context.Context, ec2 access.EC2, image ami.Image) error {
	mark := map[string]string{tags.Revoked: tags.Value(r.config.Reason)}
	did := "tagged"
	if _, revoked := ami.RevokedReason(image); !revoked {
		if err := ec2.Tag(ctx, image.Region, []string{image.ID}, mark, image); err != nil {
			return err
		}
	}
	switch r.config.EC2 {
	case manifest.EC2Deprecate:
		if !image.Deprecated(time.Now()) {
			if err := ec2.Deprecate(ctx, image.Region, image.ID, time.Now()); err != nil {
				return err
			}
		}
		did += ", deprecated"
	case manifest.EC2Disable:
		if err := ec2.Disable(ctx, image.Region, image.ID); err != nil {
			return err
		}
		did += ", disabled"
	}
	r.ui.Say(fmt.Sprintf("%s: %s: %s", image.Region, image.ID, did))
	return nil
}

// restore undoes a revocation in the opposite order: the image counts again when its AMIs do.
func (r retirement) restore(ctx context.Context) error {
	before, err := r.look(ctx)
	if err != nil {
		return err
	}
	// The mark may be newer than the record.
	seen, err := r.reg.Manifest(ctx, r.rec.Image, r.rec.Fingerprint)
	if err != nil {
		return err
	}
	entries, _ := r.rec.Pointer.Entries(seen.Manifest)
	err = r.eachRegion(ctx, before.images,
		func(ctx context.Context, ec2 access.EC2, image ami.Image) error {
			return r.bringBack(ctx, ec2, image, markOf(entries, image))
		})
	if err != nil {
		return err
	}
	stored, err := r.reg.Restore(ctx, r.rec.Image, r.rec.Pointer.Target, seen)
	if err != nil {
		return err
	}
	did := "is restored"
	if !slices.ContainsFunc(entries, func(e manifest.Entry) bool { return e.Revoked != nil }) {
		did = "was not revoked"
	}
	r.ui.Say(r.rec.Image + " " + did)
	r.ui.Say("manifest: " + stored.URI)
	return nil
}

// markOf returns what entries of a manifest say of the revocation of an AMI.
func markOf(entries []manifest.Entry, image ami.Image) manifest.Revocation {
	for _, entry := range entries {
		for _, of := range entry.AMIs() {
			if of.Region == image.Region && of.ID == image.ID && entry.Revoked != nil {
				return *entry.Revoked
			}
		}
	}
	return manifest.Revocation{}
}

// bringBack makes an AMI what it was before it was revoked. What others did to it stays.
func (r retirement) bringBack(
	ctx context.Context, ec2 access.EC2, image ami.Image, mark manifest.Revocation,
) error {
	var did []string
	ours := mark.Did(manifest.EC2Disable) && !slices.Contains(mark.DisabledBefore, keyOf(image))
	if ours && image.Disabled() {
		if err := ec2.Enable(ctx, image.Region, image.ID); err != nil {
			return err
		}
		did = append(did, "enabled")
	}
	at := mark.DeprecatedAt[keyOf(image)]
	if mark.Did(manifest.EC2Deprecate) && !at.Equal(image.DeprecatedAt) {
		if err := ec2.Deprecate(ctx, image.Region, image.ID, at); err != nil {
			return err
		}
		did = append(did, "deprecation as before")
	}
	if _, revoked := ami.RevokedReason(image); revoked {
		if err := ec2.Untag(ctx, image.Region, []string{image.ID}, tags.Revoked); err != nil {
			return err
		}
		did = append(did, "untagged")
	}
	if len(did) > 0 {
		r.ui.Say(fmt.Sprintf("%s: %s: %s", image.Region, image.ID, strings.Join(did, ", ")))
	}
	return nil
}
