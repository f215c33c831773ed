// SPDX-License-Identifier: MPL-2.0

package parent

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/packer-chain/packer-plugin-chain/internal/access"
	"github.com/packer-chain/packer-plugin-chain/internal/ami"
	"github.com/packer-chain/packer-plugin-chain/internal/gitrepo"
	"github.com/packer-chain/packer-plugin-chain/internal/registry"
)

// search is the parent that the options ask for, and the connection to look for it with.
type search struct {
	config Config
	conn   *access.Connection
	// gitName names the parent's files, if path or git_sha is set. commit is the one that is checked
	// out, if path is a clean folder.
	gitName, commit string
}

// finder looks for the parent in one place. It returns a [*missing] error if the parent certainly
// does not exist there. It does not check AMIs.
type finder func(context.Context, search) (candidate, error)

var finders = map[string]finder{wayLocal: findLocal, wayRegistry: findInRegistry, wayTag: findByTag}

// missing means that the parent certainly does not exist in one place, which the text names.
type missing struct{ why string }

func (m *missing) Error() string { return m.why }

func missingf(format string, args ...any) error {
	return &missing{why: fmt.Sprintf(format, args...)}
}

// resolve returns the first candidate whose AMIs can be used. It returns nil if there is none and
// on_missing is "empty".
func resolve(ctx context.Context, conn *access.Connection, c Config) (*parent, error) {
	s, err := newSearch(ctx, conn, c)
	if err != nil {
		return nil, err
	}
	var tried []string
	for _, way := range s.ways() {
		found, err := s.lookIn(ctx, way)
		if err == nil {
			return found, nil
		}
		var none *missing
		if !errors.As(err, &none) {
			return nil, err
		}
		tried = append(tried, fmt.Sprintf("  %-14s  %s", way, none.why))
	}
	switch {
	case c.FallbackAMI != "":
		return s.fallback(ctx)
	case c.OnMissing == "empty":
		return nil, nil
	}
	return nil, s.notFound(tried)
}

// lookIn looks for the parent in one place, and checks its AMIs.
func (s search) lookIn(ctx context.Context, way string) (*parent, error) {
	found, err := finders[way](ctx, s)
	if err != nil {
		return nil, err
	}
	return s.verify(ctx, found)
}

// newSearch returns the search for a parent. If path is set, it asks git for the names of its
// files.
func newSearch(ctx context.Context, conn *access.Connection, c Config) (search, error) {
	s := search{config: c, conn: conn, gitName: c.GitSHA}
	if c.Path == "" {
		return s, nil
	}
	// It fails only without a registry, which has no folder then.
	location, _ := registry.ParseLocation(c.Registry)
	isLeft := gitrepo.LeftBehind(location.Dir, c.LocalManifest)
	checkout, err := gitrepo.Inspect(ctx, isLeft, c.Path)
	if err != nil {
		return search{}, fmt.Errorf("path: %w", err)
	}
	folder := checkout.Objects[0]
	s.gitName = folder.Name()
	if len(folder.Dirty) == 0 {
		s.commit = checkout.Commit
	}
	return s, nil
}

// ways returns the places to look in, in this order.
func (s search) ways() []string {
	if len(s.config.ResolveBy) > 0 {
		return s.config.ResolveBy
	}
	return s.config.configured()
}

// regions returns the regions in which the AMI must exist, the session's first.
func (s search) regions(session string) []string {
	regions := []string{session}
	for _, region := range s.config.Regions {
		if !slices.Contains(regions, region) {
			regions = append(regions, region)
		}
	}
	return regions
}

// fallback returns the AMI that the user named. It must be usable; no other check applies to it.
func (s search) fallback(ctx context.Context) (*parent, error) {
	ec2, err := s.conn.EC2()
	if err != nil {
		return nil, err
	}
	image, err := ec2.Get(ctx, ec2.Region, s.config.FallbackAMI)
	if err != nil {
		return nil, fmt.Errorf("fallback_ami: %w", err)
	}
	if problem := ami.Problem(image); problem != "" {
		return nil, fmt.Errorf("fallback_ami: %s in %s %s", image.ID, ec2.Region, problem)
	}
	found := fromTags(wayFallback, image, s.config.GitSHATag)
	return &parent{found, ec2.Region, map[string]ami.Image{ec2.Region: image}}, nil
}

func (s search) notFound(tried []string) error {
	text := fmt.Sprintf("not found (%s)\n\n%s\n\nBuild and publish %s first. ",
		s.config.describe(), strings.Join(tried, "\n"), s.config.Image)
	if slices.Contains(s.config.configured(), wayTag) {
		text += "Only the account that owns an AMI sees its tags: " +
			"across accounts use registry or local_manifest. "
	}
	text += `For the first build of a chain set on_missing = "empty" or fallback_ami.`
	return errors.New(text)
}
