// SPDX-License-Identifier: MPL-2.0

// Package publish is the post-processor "chain": it makes an image known. What is visible of it is
// complete at every moment, and running the build again finishes what was interrupted.
package publish

import (
	"context"
	"errors"
	"fmt"
	"os"
	"sync"

	"github.com/hashicorp/hcl/v2/hcldec"
	packersdk "github.com/hashicorp/packer-plugin-sdk/packer"
	"golang.org/x/sync/errgroup"

	"github.com/packer-chain/packer-plugin-chain/internal/access"
	"github.com/packer-chain/packer-plugin-chain/internal/ci"
	"github.com/packer-chain/packer-plugin-chain/internal/crash"
	"github.com/packer-chain/packer-plugin-chain/internal/manifest"
	"github.com/packer-chain/packer-plugin-chain/internal/option"
	"github.com/packer-chain/packer-plugin-chain/internal/record"
	"github.com/packer-chain/packer-plugin-chain/internal/registry"
	"github.com/packer-chain/packer-plugin-chain/internal/text"
	"github.com/packer-chain/packer-plugin-chain/internal/version"
)

// component is what a user calls this.
const component = `post-processor "chain"`

var _ packersdk.PostProcessor = (*PostProcessor)(nil)

// PostProcessor is the post-processor "chain".
type PostProcessor struct {
	config Config
}

// ConfigSpec returns the options.
func (p *PostProcessor) ConfigSpec() hcldec.ObjectSpec {
	return p.config.FlatMapstructure().HCL2Spec()
}

// Configure checks the options, all at once. It does no I/O; Packer calls it before the build, when
// some values are not known yet, and again after it.
func (p *PostProcessor) Configure(raws ...any) (err error) {
	defer crash.Recover(component, &err)
	if err := option.Decode(&p.config, raws...); err != nil {
		return err
	}
	if errs := p.config.prepare(); len(errs) > 0 {
		return &packersdk.MultiError{Errors: errs}
	}
	return nil
}

// PostProcess publishes the artifact, and passes it through unchanged. It tells Packer to keep it.
func (p *PostProcessor) PostProcess(
	ctx context.Context, ui packersdk.Ui, source packersdk.Artifact,
) (kept packersdk.Artifact, keepInput, forceKeep bool, err error) {
	err = crash.Guard(component, func() error { return p.publish(ctx, ui, source) })()
	return source, true, true, err
}

func (p *PostProcessor) publish(
	ctx context.Context, ui packersdk.Ui, source packersdk.Artifact,
) error {
	rec, err := record.Decode(p.config.Record)
	if err != nil {
		return err
	}
	if err := option.Known(&p.config, "record"); err != nil {
		return err
	}
	if source == nil {
		return fmt.Errorf("publish %s: the builder made no artifact", rec.Image)
	}
	job := publication{config: p.config, ui: ui, rec: rec, ci: ci.Detect(os.Getenv)}
	done, err := job.run(ctx, source)
	var mistake *templateError
	switch {
	case err == nil:
		return nil
	case errors.As(err, &mistake):
		return fmt.Errorf("publish %s: %w", rec.Image, mistake)
	}
	return job.failed(ctx, source, done, err)
}

// templateError is a mistake in the template. It fails the build, whatever on_failure says.
type templateError struct{ text string }

func (e *templateError) Error() string { return e.text }

// publication is one run of the post-processor. Nothing in it changes.
type publication struct {
	config Config
	ui     packersdk.Ui
	rec    record.Record
	ci     ci.Build
}

// progress is how far a publication got.
type progress struct {
	// entries describe the artifact in the manifest; none if the artifact could not be read.
	entries []manifest.Entry
	// stored is the manifest in the registry. It is zero if it was not written.
	stored registry.Stored
}

// run publishes in an order in which everything that is visible is complete: the tags, then the
// manifest that names the AMIs, then the refs that name the manifest, then the local manifest. A
// bug is a failed publication like any other: it must not cost the image.
func (p publication) run(
	ctx context.Context, source packersdk.Artifact,
) (done progress, err error) {
	defer crash.Recover(component, &err)
	if err := p.checkTemplate(source); err != nil {
		return done, err
	}
	if done.entries, err = p.describe(ctx, source); err != nil {
		return done, err
	}
	p.warn(p.config.Warnings()...)
	ctx, cancel := context.WithTimeout(ctx, p.config.PublishTimeout)
	defer cancel()
	conn := access.Open(ctx, &p.config.Config, p.rec.Registry, p.ui.Say)
	reg, err := conn.Registry()
	if err != nil {
		return done, err
	}
	var early registry.Early
	if p.published() {
		done.stored, early, err = p.readManifest(ctx, reg)
	} else {
		done.stored, early, err = p.publishManifest(ctx, conn, reg, done.entries)
	}
	if err != nil {
		return done, err
	}
	if err := p.moveRefs(ctx, reg, done.stored, early); err != nil {
		return done, err
	}
	if err := p.writeLocal(ctx, done.stored); err != nil {
		// All is published: a file that could not be written must not cost the image.
		p.ui.Error(fmt.Sprintf(
			"The image is published, but the local manifest could not be written: %s", err))
	}
	return done, nil
}

// passedThrough reports whether the artifact is an image that existed before the build.
func (p publication) passedThrough() bool { return p.config.PackerBuilderType == builderType }

// published reports whether the image is in the registry already, so that only refs may have to
// move.
func (p publication) published() bool { return p.passedThrough() && !p.rec.Unpublished }

func (p publication) warn(warnings ...string) {
	for _, warning := range warnings {
		p.ui.Error("warning: " + warning)
	}
}

// readManifest reads the manifest of an image that is published already, and the refs.
func (p publication) readManifest(
	ctx context.Context, reg *registry.Registry,
) (stored registry.Stored, early registry.Early, err error) {
	p.ui.Say(fmt.Sprintf("%s is %s (fingerprint %.12s)", p.rec.Image, p.rec.Reason, p.rec.Fingerprint))
	group, ctx := errgroup.WithContext(ctx)
	group.Go(crash.Guard("read the manifest", func() (err error) {
		stored, err = reg.Manifest(ctx, p.rec.Image, p.rec.Fingerprint)
		return err
	}))
	group.Go(crash.Guard("read the channels", func() error {
		early = reg.ReadEarly(ctx, p.refKeys()...)
		return nil
	}))
	return stored, early, group.Wait()
}

// publishManifest tags the AMIs, and then writes the manifest. Meanwhile it reads the documents
// that are written next.
func (p publication) publishManifest(
	ctx context.Context, conn *access.Connection, reg *registry.Registry, entries []manifest.Entry,
) (stored registry.Stored, early registry.Early, err error) {
	p.announce()
	uri := reg.ManifestURI(p.rec.Image, p.rec.Fingerprint)
	var described []manifest.Entry
	var session string
	group, tagging := errgroup.WithContext(ctx)
	group.Go(crash.Guard("tag the AMIs", func() (err error) {
		described, session, err = p.tag(tagging, conn, entries, p.tags(uri))
		return err
	}))
	group.Go(crash.Guard("read the registry", func() error {
		keys := append(p.refKeys(), registry.BuildKey(p.rec.Image, p.rec.Fingerprint))
		early = reg.ReadEarly(tagging, keys...)
		return nil
	}))
	if err := group.Wait(); err != nil {
		return registry.Stored{}, nil, err
	}
	if stored, err = reg.Publish(ctx, p.facts(), described, early); err != nil {
		return registry.Stored{}, nil, fmt.Errorf("write the manifest: %w", err)
	}
	p.ui.Say("manifest: " + stored.URI)
	p.warn(warnings(p.rec, described, stored.Manifest, session)...)
	return stored, early, nil
}

// announce prints what is published, and what it is built on.
func (p publication) announce() {
	p.ui.Say(fmt.Sprintf("Publishing %s: %s (fingerprint %.12s)",
		p.rec.Image, p.rec.Reason, p.rec.Fingerprint))
	for _, parent := range p.rec.Parents {
		p.ui.Say(fmt.Sprintf("parent %s: %s (%s)",
			parent.Image, text.OneLine(parent.Identity), text.OneLine(parent.FoundBy)))
	}
}

// facts returns the facts of the record, and those that are known only now.
func (p publication) facts() manifest.Facts {
	facts := p.rec.Facts
	facts.Labels = p.config.Labels
	facts.Versions = manifest.Versions{Packer: p.config.PackerCoreVersion, Plugin: version.String()}
	if p.ci.Provider != "" {
		facts.CI = &manifest.CI{Provider: p.ci.Provider, BuildID: p.ci.BuildID, BuildURL: p.ci.BuildURL}
	}
	return facts
}

// concurrently runs several steps at the same time, and returns all their errors.
func concurrently(steps ...func() error) error {
	errs := make([]error, len(steps))
	var all sync.WaitGroup
	for i, step := range steps {
		all.Go(func() { errs[i] = crash.Guard(component, step)() })
	}
	all.Wait()
	return errors.Join(errs...)
}
