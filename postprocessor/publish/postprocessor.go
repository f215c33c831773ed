// SPDX-License-Identifier: MPL-2.0

// Package publish is the post-processor "chain": it makes an image known. What is visible of it is
// complete at every moment, and running the build again finishes what was interrupted.
package publish

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/hashicorp/hcl/v2/hcldec"
	packersdk "github.com/hashicorp/packer-plugin-sdk/packer"

	"github.com/packer-chain/packer-plugin-chain/internal/access"
	"github.com/packer-chain/packer-plugin-chain/internal/ci"
	"github.com/packer-chain/packer-plugin-chain/internal/crash"
	"github.com/packer-chain/packer-plugin-chain/internal/option"
	"github.com/packer-chain/packer-plugin-chain/internal/record"
)

// component is what a user knows this as.
const component = `post-processor "chain"`

var _ packersdk.PostProcessor = (*PostProcessor)(nil)

// PostProcessor is the post-processor "chain".
type PostProcessor struct {
	config Config
}

// ConfigSpec says which options there are.
func (p *PostProcessor) ConfigSpec() hcldec.ObjectSpec { return p.config.FlatMapstructure().HCL2Spec() }

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

// PostProcess publishes the artifact, and hands it on as it came: Packer is told to keep it.
func (p *PostProcessor) PostProcess(ctx context.Context, ui packersdk.Ui, source packersdk.Artifact) (
	kept packersdk.Artifact, keepInput, forceKeep bool, err error,
) {
	err = crash.Guard(component, func() error { return p.publish(ctx, ui, source) })()
	return source, true, true, err
}

func (p *PostProcessor) publish(ctx context.Context, ui packersdk.Ui, source packersdk.Artifact) error {
	rec, err := record.Decode(p.config.Record)
	if err != nil {
		return err
	}
	if err := option.Known(&p.config, "record"); err != nil {
		return err
	}
	if source == nil {
		return fmt.Errorf("publish %s: there is no artifact: the builder made none", rec.Image)
	}
	job := &publication{config: p.config, ui: ui, rec: rec, source: source, ci: ci.Detect(os.Getenv), now: time.Now}
	var mistake error
	// A bug in here is a failed publication like any other: it must not cost the image.
	err = crash.Guard(component, func() error {
		mistake = job.mistake()
		return mistake
	})()
	if mistake != nil {
		return fmt.Errorf("publish %s: %w", rec.Image, mistake)
	}
	if err == nil {
		err = crash.Guard(component, func() error { return job.publish(ctx) })()
	}
	if err != nil {
		return job.failed(ctx, err)
	}
	return nil
}

// mistake is what is wrong with the template. It fails the build, whatever on_failure says.
func (j *publication) mistake() error {
	if j.handedOn() && len(j.rec.Entries) == 0 {
		return errors.New("the record names no image that exists")
	}
	return sameParent(j.rec, j.source)
}

func (j *publication) publish(ctx context.Context) error {
	if err := j.readArtifact(ctx); err != nil {
		return err
	}
	for _, warning := range j.config.Warnings() {
		j.ui.Error("warning: " + warning)
	}
	ctx, cancel := context.WithTimeout(ctx, j.config.PublishTimeout)
	defer cancel()
	return j.run(ctx)
}

// run publishes in an order in which everything that is visible is complete: the tags, then the
// manifest that names the AMIs, then the refs that name the manifest, then the local manifest.
func (j *publication) run(ctx context.Context) error {
	j.conn = access.Open(ctx, &j.config.Config, j.rec.Registry, j.ui.Say)
	var err error
	if j.registry, err = j.conn.Registry(); err != nil {
		return err
	}
	ahead := j.readAhead(ctx)
	if j.exists() {
		err = j.readManifest(ctx, ahead)
	} else {
		err = j.publishManifest(ctx, ahead)
	}
	if err != nil {
		return err
	}
	if err := j.moveRefs(ctx); err != nil {
		return err
	}
	if err := j.writeLocal(ctx); err != nil {
		// All is published. A copy that could not be left must not cost the image.
		j.ui.Error(fmt.Sprintf("The image is published, but the local manifest could not be written: %s", err))
	}
	return nil
}
