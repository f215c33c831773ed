// SPDX-License-Identifier: MPL-2.0

package parent

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/packer-chain/packer-plugin-chain/internal/ami"
	"github.com/packer-chain/packer-plugin-chain/internal/connect"
	"github.com/packer-chain/packer-plugin-chain/internal/gitrepo"
	"github.com/packer-chain/packer-plugin-chain/internal/registry"
)

// resolver asks the ways, one after another, until one has a parent.
type resolver struct {
	config Config
	now    func() time.Time

	// gitName names the parent's files where path or git_sha says them, and commit the one that is
	// checked out, where path says a folder that is clean.
	gitName, commit string
	images          *ami.Client
	region          string
	registry        *registry.Registry
	// builds are those that the registry was asked for, by fingerprint.
	builds map[string]build
}

// missing is the answer of a way that certainly has no parent; the text says what was looked at.
type missing struct{ why string }

func (m *missing) Error() string { return m.why }

func missingf(format string, args ...any) error { return &missing{why: fmt.Sprintf(format, args...)} }

// resolve answers nil when no way has the parent and on_missing is "empty".
func (r *resolver) resolve(ctx context.Context) (*found, error) {
	if err := r.readGit(ctx); err != nil {
		return nil, err
	}
	ways := r.config.ResolveBy
	if len(ways) == 0 {
		ways = r.config.configured()
	}
	var tried []string
	for _, way := range ways {
		parent, err := r.ask(ctx, way)
		if err == nil {
			return parent, nil
		}
		var none *missing
		if !errors.As(err, &none) {
			return nil, err
		}
		tried = append(tried, fmt.Sprintf("  %-8s  %s", way, none.why))
	}
	switch {
	case r.config.FallbackAMI != "":
		return r.fallback(ctx)
	case r.config.OnMissing == "empty":
		return nil, nil
	}
	return nil, r.notFound(tried)
}

func (r *resolver) ask(ctx context.Context, way string) (*found, error) {
	switch way {
	case wayManifest:
		return r.byManifest(ctx)
	case wayRegistry:
		return r.byRegistry(ctx)
	}
	return r.byTag(ctx)
}

func (r *resolver) readGit(ctx context.Context) error {
	r.gitName = r.config.GitSHA
	if r.config.Path == "" {
		return nil
	}
	// Without a registry there is no folder of it either.
	at, _ := registry.ParseLocation(r.config.Registry)
	isLeft := gitrepo.LeftBehind(at.Dir, r.config.Manifest)
	checkout, err := gitrepo.Inspect(ctx, isLeft, r.config.Path)
	if err != nil {
		return fmt.Errorf("path: %w", err)
	}
	r.gitName = checkout.Objects[0].Name()
	if len(checkout.Objects[0].Dirty) == 0 {
		r.commit = checkout.Commit
	}
	return nil
}

// connect opens EC2, once, when a way first needs it: an image that is no AMI needs no AWS at all.
func (r *resolver) connect(ctx context.Context) error {
	if r.images != nil {
		return nil
	}
	images, region, err := connect.Images(ctx, &r.config.Config, nil)
	if err != nil {
		return err
	}
	r.images, r.region = images, region
	return nil
}

// openRegistry opens the registry, once, when a way first needs it.
func (r *resolver) openRegistry(ctx context.Context) (reg *registry.Registry, err error) {
	if r.registry == nil {
		r.registry, err = connect.Registry(ctx, r.config.Registry, &r.config.Config)
	}
	return r.registry, err
}

// regions are those in which the AMI must be there, the session's first.
func (r *resolver) regions() []string {
	regions := []string{r.region}
	for _, region := range r.config.Regions {
		if !slices.Contains(regions, region) {
			regions = append(regions, region)
		}
	}
	return regions
}

func (r *resolver) fallback(ctx context.Context) (*found, error) {
	if err := r.connect(ctx); err != nil {
		return nil, err
	}
	image, err := r.images.Get(ctx, r.region, r.config.FallbackAMI)
	if err != nil {
		return nil, fmt.Errorf("fallback_ami: %w", err)
	}
	if problem := ami.Problem(image); problem != "" {
		return nil, fmt.Errorf("fallback_ami: %s in %s %s", image.ID, r.region, problem)
	}
	f := fromImage(wayFallback, image, r.config.GitSHATag)
	f.region, f.amis = r.region, map[string]ami.Image{r.region: image}
	return f, nil
}

func (r *resolver) notFound(tried []string) error {
	text := fmt.Sprintf("not found (%s)\n\n%s\n\nBuild and publish %s first. ",
		r.config.describe(), strings.Join(tried, "\n"), r.config.Image)
	if slices.Contains(r.config.configured(), wayTag) {
		text += "Tags can be seen by the account that owns the AMI only: across accounts use registry or manifest. "
	}
	return errors.New(text + `For the first build of a chain set on_missing = "empty" or fallback_ami.`)
}
