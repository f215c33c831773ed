// SPDX-License-Identifier: MPL-2.0

// Package existing is the builder "chain": it passes an existing image through as the artifact of a
// build, so that a run that builds nothing leaves the same state as one that builds.
package existing

import (
	"context"
	"fmt"

	"github.com/hashicorp/hcl/v2/hcldec"
	packersdk "github.com/hashicorp/packer-plugin-sdk/packer"

	"github.com/packer-chain/packer-plugin-chain/internal/crash"
	"github.com/packer-chain/packer-plugin-chain/internal/option"
	"github.com/packer-chain/packer-plugin-chain/internal/record"
)

var _ packersdk.Builder = (*Builder)(nil)

// Builder is the builder "chain".
type Builder struct {
	config Config
}

// ConfigSpec returns the options.
func (b *Builder) ConfigSpec() hcldec.ObjectSpec { return b.config.FlatMapstructure().HCL2Spec() }

// Prepare checks the options. It returns the names that Amazon's builders generate: a template that
// refers to build.SourceAMI must be valid for this source too. It does no I/O.
func (b *Builder) Prepare(raws ...any) (vars, warnings []string, err error) {
	defer crash.Recover(`source "chain"`, &err)
	if err := option.Decode(&b.config, raws...); err != nil {
		return nil, nil, err
	}
	return amazonData, nil, record.Check(b.config.Record)
}

// Run passes the image through. It makes no request: data "chain-image" has checked that the image
// exists.
func (b *Builder) Run(
	_ context.Context, ui packersdk.Ui, _ packersdk.Hook,
) (_ packersdk.Artifact, err error) {
	defer crash.Recover(`source "chain"`, &err)
	rec, err := record.Decode(b.config.Record)
	if err != nil {
		return nil, err
	}
	if rec.Needed || len(rec.Entries) == 0 {
		return nil, fmt.Errorf("pass image %s through: it has to be built: %s\n\n"+
			"Use the source \"chain\" only if data.chain-image.NAME.needed is false.", rec.Image, rec.Reason)
	}
	artifact := &Artifact{image: rec.Image, entries: rec.Entries}
	ui.Say(fmt.Sprintf("%s: %s: nothing is built (fingerprint %.12s)",
		rec.Image, rec.Reason, rec.Fingerprint))
	for _, line := range artifact.lines() {
		ui.Say(line)
	}
	return artifact, nil
}
