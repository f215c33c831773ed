// SPDX-License-Identifier: MPL-2.0

package parent

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/packer-chain/packer-plugin-chain/internal/access"
	"github.com/packer-chain/packer-plugin-chain/internal/ami"
	"github.com/packer-chain/packer-plugin-chain/internal/ci"
	"github.com/packer-chain/packer-plugin-chain/internal/gitrepo"
	"github.com/packer-chain/packer-plugin-chain/internal/line"
	"github.com/packer-chain/packer-plugin-chain/internal/localmanifest"
	"github.com/packer-chain/packer-plugin-chain/internal/option"
	"github.com/packer-chain/packer-plugin-chain/internal/registry"
	"github.com/packer-chain/packer-plugin-chain/internal/text"
)

// search is the parent that the options ask for, and the connection to look for it with.
type search struct {
	config Config
	conn   *access.Connection
	// gitName names the parent's files, if path or git_sha is set.
	gitName string
	// folder is the parent's in this checkout, if path is set.
	folder *folder
	// line is that of this run, if path or git_sha is set.
	line registry.Name
}

// folder is the parent's folder in this checkout.
type folder struct {
	root, path string
	// commit is the one that is checked out.
	commit string
	// dirty are files that are not committed.
	dirty  []string
	isLeft func(root, name string) bool
}

// finder looks for the parent in one place. It returns candidates, best first, or a [*missing]
// error if the parent certainly does not exist there. It does not check AMIs.
type finder func(context.Context, search) ([]candidate, error)

var finders = map[string]finder{wayLocal: findLocal, wayRegistry: findInRegistry, wayTag: findByTag}

// missing means that the parent certainly does not exist in one place, which the text names.
type missing struct{ why string }

func (m *missing) Error() string { return m.why }

func missingf(format string, args ...any) error {
	return &missing{why: fmt.Sprintf(format, args...)}
}

// resolve returns the first candidate that is good. It returns nil if there is none and
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
	return nil, s.notFound(ctx, tried)
}

// lookIn looks for the parent in one place, and returns the first candidate that is good: its AMIs
// can be used, and nothing speaks against building on them.
func (s search) lookIn(ctx context.Context, way string) (*parent, error) {
	candidates, err := finders[way](ctx, s)
	if err != nil {
		return nil, err
	}
	var refused error
	var why []string
	for _, c := range candidates {
		found, err := s.check(ctx, c)
		var none *missing
		var bad *refusal
		switch {
		case err == nil:
			return found, nil
		case errors.As(err, &bad):
			if refused == nil {
				refused = err
			}
		case !errors.As(err, &none):
			return nil, err
		}
		why = append(why, err.Error())
	}
	if refused != nil {
		return nil, refused
	}
	return nil, missingf("%s", strings.Join(why, "; "))
}

// check reads what a candidate still lacks, and checks it.
func (s search) check(ctx context.Context, c candidate) (*parent, error) {
	found, err := s.checked(ctx, c)
	if err != nil && c.history != "" {
		// Who asks for an earlier image is never given none.
		return nil, &refusal{err.Error() + "\n\n" + c.history}
	}
	return found, err
}

func (s search) checked(ctx context.Context, c candidate) (*parent, error) {
	if c.read != nil {
		read := c.read
		var err error
		if c, err = read(ctx); err != nil {
			return nil, err
		}
	}
	// An AMI that was disabled with the revocation is not missing.
	if c.revoked != nil && !s.config.AllowRevoked {
		return nil, c.refused("it is revoked"+text.Because(c.revoked.Reason),
			"Build the image again, or set allow_revoked = true.")
	}
	found, err := s.verify(ctx, c)
	if err != nil {
		return nil, err
	}
	return found, found.checkPolicy(s.config, time.Now())
}

// newSearch returns the search for a parent. If path is set, it asks git for the names of its
// files.
func newSearch(ctx context.Context, conn *access.Connection, c Config) (search, error) {
	s := search{config: c, conn: conn, gitName: c.GitSHA}
	switch {
	case c.GitSHA != "":
		s.line = lineOf(line.Here(ctx, ".", ci.Detect(os.Getenv), c.Branch))
		return s, nil
	case c.Path == "":
		return s, nil
	}
	// It fails only without a registry, which has no folder then.
	location, _ := registry.ParseLocation(c.Registry)
	isLeft := gitrepo.LeftBehind(location.Dir, c.LocalManifest, s.localPath())
	checkout, err := gitrepo.Inspect(ctx, isLeft, c.Path)
	if err != nil {
		return search{}, fmt.Errorf("path: %w", err)
	}
	object := checkout.Objects[0]
	s.gitName = object.Name()
	s.folder = &folder{
		root: checkout.Root, path: object.Path, commit: checkout.Commit, dirty: object.Dirty,
		isLeft: isLeft,
	}
	s.line = lineOf(line.Find(ctx, checkout, ci.Detect(os.Getenv), c.Branch))
	return s, nil
}

func lineOf(place line.Place) registry.Name {
	return registry.Name{Kind: registry.Line, Name: place.Line.Document()}
}

// localPath returns the local manifest that the parent's own template writes, if it names no other.
func (s search) localPath() string {
	if s.config.Registry == "" {
		return ""
	}
	return localmanifest.Default(s.config.Path, s.config.Registry, s.config.Image)
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
	return option.Fold(append([]string{session}, s.config.Regions...))
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

// similar names what there is in the registry instead of what was not found.
func (s search) similar(ctx context.Context) registry.Hint {
	if s.config.Registry == "" {
		return registry.Hint{}
	}
	reg, err := s.conn.Registry()
	if err != nil {
		return registry.Hint{}
	}
	channel := s.config.channel()
	if s.gitName != "" && s.config.Channel == "" || s.config.Fingerprint != "" {
		channel = ""
	}
	return reg.Similar(ctx, s.config.Image, channel)
}

func (s search) notFound(ctx context.Context, tried []string) error {
	text := fmt.Sprintf("not found (%s)\n\n%s\n\n", s.config.describe(), strings.Join(tried, "\n"))
	similar := s.similar(ctx)
	text += similar.Text
	switch {
	// To build or to publish something would be the wrong advice.
	case similar.Misspelled:
		return errors.New(strings.TrimSpace(text))
	case similar.OtherChannels && s.gitName == "":
		return errors.New(text + "Set channel to one of these, or promote " + s.config.Image + " to " +
			s.config.channel() + " first.")
	}
	if s.folder != nil && slices.Contains(s.config.configured(), wayRegistry) {
		text += fmt.Sprintf("Run the packer build of %s at this commit first, and before it those of "+
			"its own parents, in order. Each takes seconds if nothing has changed. ", s.config.Image)
	} else {
		text += fmt.Sprintf("Build and publish %s first. ", s.config.Image)
	}
	if slices.Contains(s.config.configured(), wayTag) {
		text += "Only the account that owns an AMI sees its tags: " +
			"across accounts use registry or local_manifest. "
	}
	if s.config.Previous == 0 && s.config.Fingerprint == "" {
		text += `For the first build of a chain set on_missing = "empty" or fallback_ami.`
	}
	return errors.New(strings.TrimSpace(text))
}
