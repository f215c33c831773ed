// SPDX-License-Identifier: MPL-2.0

// Package publish is the post-processor "chain": it makes an image known. What is visible of it is
// complete at every moment, and running the build again finishes what was interrupted.
package publish

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"sync"

	"github.com/hashicorp/hcl/v2/hcldec"
	packersdk "github.com/hashicorp/packer-plugin-sdk/packer"
	"golang.org/x/sync/errgroup"

	"github.com/packer-chain/packer-plugin-chain/internal/access"
	"github.com/packer-chain/packer-plugin-chain/internal/ami"
	"github.com/packer-chain/packer-plugin-chain/internal/artifact"
	"github.com/packer-chain/packer-plugin-chain/internal/ci"
	"github.com/packer-chain/packer-plugin-chain/internal/crash"
	"github.com/packer-chain/packer-plugin-chain/internal/line"
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

// Configure checks the options, all at once. Packer calls it before the build, when some values are
// not known yet, and again after it. It sends no request; it notes its source in the folder .chain,
// see [localmanifest.Claim].
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

// PostProcess publishes the artifact, and passes it on: or that of another run, if that one has
// published the same image meanwhile. It tells Packer to keep the artifact.
func (p *PostProcessor) PostProcess(
	ctx context.Context, ui packersdk.Ui, source packersdk.Artifact,
) (kept packersdk.Artifact, keepInput, forceKeep bool, err error) {
	kept = source
	err = crash.Guard(component, func() (err error) {
		kept, err = p.publish(ctx, ui, source)
		return err
	})()
	return kept, true, true, err
}

func (p *PostProcessor) publish(
	ctx context.Context, ui packersdk.Ui, source packersdk.Artifact,
) (packersdk.Artifact, error) {
	rec, err := record.Decode(p.config.Record)
	if err != nil {
		return source, err
	}
	if err := option.Known(&p.config, "record"); err != nil {
		return source, err
	}
	if source == nil {
		return source, fmt.Errorf("publish %s: the builder made no artifact\n\nPut the "+
			"post-processor behind one that keeps the artifact, such as \"manifest\".", rec.Image)
	}
	job := publication{config: p.config, ui: ui, rec: rec, ci: ci.Detect(os.Getenv)}
	if job.promotes() {
		job.here = line.Here(ctx, ".", job.ci, "").Line
	}
	done, err := job.run(ctx, source)
	var mistake *templateError
	switch {
	case err == nil:
		return job.passedOn(source, done), nil
	case errors.As(err, &mistake):
		return source, fmt.Errorf("publish %s: %w", rec.Image, mistake)
	}
	return source, job.failed(ctx, source, done, err)
}

// templateError is a mistake in the template, or in how it is run. It fails the build, whatever
// on_failure says.
type templateError struct{ text string }

func (e *templateError) Error() string { return e.text }

func mistakef(format string, args ...any) error {
	return &templateError{fmt.Sprintf(format, args...)}
}

// publication is one run of the post-processor. Nothing in it changes.
type publication struct {
	config Config
	ui     packersdk.Ui
	rec    record.Record
	ci     ci.Build
	// here is the line of this run, if it promotes.
	here manifest.Line
}

// progress is how far a publication got.
type progress struct {
	// own describe the artifact in the manifest; none if the artifact could not be read.
	own []manifest.Entry
	// stored is the manifest in the registry. It is zero if it was not written.
	stored registry.Stored
	// entries are what the image consists of: those that count of each source that is there.
	entries []manifest.Entry
	// images are the AMIs of a published image that have been looked up, by region.
	images map[string][]ami.Image
}

// run publishes in an order in which everything that is visible is complete: the tags, then the
// manifest that names the AMIs, then the tag that names the manifest, then the pointers, then the
// local manifest. A bug is a failed publication like any other: it must not cost the image.
func (p publication) run(
	ctx context.Context, source packersdk.Artifact,
) (done progress, err error) {
	defer crash.Recover(component, &err)
	if err := p.checkTemplate(source); err != nil {
		return done, err
	}
	if err := p.checkFiles(ctx); err != nil {
		return done, err
	}
	if done.own, err = p.describe(ctx, source); err != nil {
		return done, err
	}
	p.warn(p.config.Warnings()...)
	if !p.passedThrough() { // Then the gate has said it.
		for _, warning := range p.rec.Warnings {
			p.warn(text.OneLine(warning))
		}
	}
	if p.config.AllowRollback {
		p.ui.Say("allow_rollback is set: channels move to older commits too")
	}
	ctx, cancel := context.WithTimeout(ctx, p.config.PublishTimeout)
	defer cancel()
	conn := access.Open(ctx, &p.config.Config, p.rec.Registry, p.ui.Say)
	reg, err := conn.Registry()
	if err != nil {
		return done, err
	}
	var early registry.Early
	if p.published() {
		done, early, err = p.readManifest(ctx, conn, reg, done)
	} else {
		done.stored, early, err = p.publishManifest(ctx, conn, reg, source, done.own)
	}
	if err != nil {
		return done, err
	}
	return p.point(ctx, conn, reg, done, early)
}

// point moves the pointers to an image that is published, and writes the local manifest.
func (p publication) point(
	ctx context.Context, conn *access.Connection, reg *registry.Registry, done progress,
	early registry.Early,
) (progress, error) {
	var missing []string
	done.entries, missing = whole(p.rec, done.stored.Manifest)
	if len(missing) > 0 {
		p.ui.Say(fmt.Sprintf("%s is incomplete: waiting for %s; no channel is moved",
			p.rec.Image, text.List(missing)))
	} else if err := p.movePointers(ctx, conn, reg, done, early); err != nil {
		return done, err
	}
	if p.promotes() {
		return done, nil
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

// published reports whether the image is in the registry already, so that only pointers may have to
// move.
func (p publication) published() bool { return p.passedThrough() && !p.rec.Unpublished }

// passedOn returns the artifact for the post-processors that follow: that of the run that came
// first, if another has published the same image since this one decided to build it.
func (p publication) passedOn(source packersdk.Artifact, done progress) packersdk.Artifact {
	if p.passedThrough() || len(done.entries) == 0 {
		return source
	}
	mine := func(entry manifest.Entry) bool {
		return slices.ContainsFunc(done.own, func(own manifest.Entry) bool {
			return own.PackerRunUUID == entry.PackerRunUUID && own.ArtifactID == entry.ArtifactID
		})
	}
	own := done.own[0].Source()
	i := slices.IndexFunc(done.entries, func(e manifest.Entry) bool { return e.Source() == own })
	if i < 0 || mine(done.entries[i]) {
		return source
	}
	first := done.entries[i : i+1]
	existing := artifact.NewExisting(p.rec.Image, p.rec.Fingerprint, first, p.rec.Folders()...)
	p.warn(fmt.Sprintf("another run published this image first. Its AMIs are passed on: %s",
		strings.Join(existing.Lines(), ", ")))
	return existing
}

func (p publication) warn(warnings ...string) {
	for _, warning := range warnings {
		p.ui.Error("warning: " + warning)
	}
}

// readManifest reads the manifest of an image that is published already, and the pointers. It looks
// up the AMIs if more is to be done with them.
func (p publication) readManifest(
	ctx context.Context, conn *access.Connection, reg *registry.Registry, done progress,
) (_ progress, early registry.Early, err error) {
	p.ui.Say(fmt.Sprintf("%s is %s (fingerprint %.12s)",
		p.rec.Image, text.OneLine(p.rec.Reason), p.rec.Fingerprint))
	group, ctx := errgroup.WithContext(ctx)
	group.Go(crash.Guard("read the manifest", func() (err error) {
		done.stored, err = reg.Manifest(ctx, p.rec.Image, p.rec.Fingerprint)
		return err
	}))
	group.Go(crash.Guard("read the pointers", func() error {
		early = reg.ReadEarly(ctx, p.pointerKeys()...)
		return nil
	}))
	if p.promotes() || p.delivers() {
		group.Go(crash.Guard("look up the AMIs", func() (err error) {
			done.images, err = p.confirm(ctx, conn, p.rec.Entries)
			return err
		}))
	}
	if p.rec.Unmarked {
		group.Go(crash.Guard("tag the AMIs", func() error {
			return p.repairMark(ctx, conn, reg.ManifestURI(p.rec.Image, p.rec.Fingerprint))
		}))
	}
	return done, early, group.Wait()
}

// publishManifest tags the AMIs, writes the manifest, and then tags the AMIs with its address.
// While it waits for EC2, it reads the documents that are written next.
func (p publication) publishManifest(
	ctx context.Context, conn *access.Connection, reg *registry.Registry,
	source packersdk.Artifact, own []manifest.Entry,
) (stored registry.Stored, early registry.Early, err error) {
	p.announce()
	var tagged tagged
	group, tagging := errgroup.WithContext(ctx)
	group.Go(crash.Guard("tag the AMIs", func() (err error) {
		tagged, err = p.tag(tagging, conn, source, own)
		return err
	}))
	group.Go(crash.Guard("read the registry", func() error {
		keys := append(p.pointerKeys(), registry.BuildKey(p.rec.Image, p.rec.Fingerprint))
		early = reg.ReadEarly(tagging, keys...)
		return nil
	}))
	if err := group.Wait(); err != nil {
		return registry.Stored{}, nil, err
	}
	if stored, err = p.writeManifest(ctx, conn, reg, tagged, early); err != nil {
		return stored, early, err
	}
	p.warn(turns(tagged.entries, stored.Manifest.Builds)...)
	uri := stored.URI
	err = concurrently(func() error {
		return p.mark(ctx, conn, uri, tagged.entries)
	}, func() (err error) {
		stored, err = reg.Confirm(ctx, p.facts(), tagged.entries, stored)
		return err
	})
	return stored, early, err
}

// writeManifest writes the manifest while it waits for the tags. If the write fails, it stops
// waiting; but it never breaks off a write, or nobody would know whether the manifest is there.
func (p publication) writeManifest(
	ctx context.Context, conn *access.Connection, reg *registry.Registry,
	tagged tagged, early registry.Early,
) (stored registry.Stored, err error) {
	waiting, stop := context.WithCancel(ctx)
	defer stop()
	err = concurrently(func() error {
		err := p.awaitTags(waiting, conn, tagged)
		if waiting.Err() != nil && ctx.Err() == nil {
			return nil
		}
		return err
	}, func() (err error) {
		if stored, err = reg.Publish(ctx, p.facts(), tagged.entries, early); err == nil {
			p.ui.Say("manifest: " + stored.URI)
			return nil
		}
		stop()
		var conflict *registry.ConflictError
		if errors.As(err, &conflict) {
			return mistakef("%s\n\nThis artifact was not published.", conflict)
		}
		return fmt.Errorf("write the manifest: %w", err)
	})
	return stored, err
}

// announce prints what is published, and what it is built on.
func (p publication) announce() {
	p.ui.Say(fmt.Sprintf("Publishing %s: %s (fingerprint %.12s)",
		p.rec.Image, text.OneLine(p.rec.Reason), p.rec.Fingerprint))
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
	facts.CI = p.ci.Facts()
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
