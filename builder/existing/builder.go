// SPDX-License-Identifier: MPL-2.0

// Package existing is the builder "chain", a gate: it says what happens and why, and passes the
// existing image through as the artifact of the build if nothing has to be built.
package existing

import (
	"context"
	"fmt"
	"strings"

	"github.com/hashicorp/hcl/v2/hcldec"
	packersdk "github.com/hashicorp/packer-plugin-sdk/packer"

	"github.com/packer-chain/packer-plugin-chain/internal/artifact"
	"github.com/packer-chain/packer-plugin-chain/internal/crash"
	"github.com/packer-chain/packer-plugin-chain/internal/option"
	"github.com/packer-chain/packer-plugin-chain/internal/record"
	"github.com/packer-chain/packer-plugin-chain/internal/text"
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
	return artifact.AmazonData, nil, record.Check(b.config.Record)
}

// Run says what is built and why, and returns no artifact then: Packer skips the post-processors
// for it. If nothing has to be built, it passes the image through. It makes no request: the data
// source has checked that the image exists.
func (b *Builder) Run(
	_ context.Context, ui packersdk.Ui, _ packersdk.Hook,
) (_ packersdk.Artifact, err error) {
	defer crash.Recover(`source "chain"`, &err)
	rec, err := record.Decode(b.config.Record)
	if err != nil {
		return nil, err
	}
	if b.config.PackerForce && !rec.Forced && len(rec.Pending) == 0 {
		ui.Say("-force does not reach data sources. To build the image again, " +
			"set force = true in data \"chain-image\".")
	}
	for _, warning := range rec.Warnings {
		ui.Error("warning: " + text.OneLine(warning))
	}
	if len(rec.Pending) > 0 {
		announce(ui, rec)
		return nil, nil
	}
	if len(rec.Entries) == 0 {
		return nil, fmt.Errorf("pass image %s through: the record names nothing that exists\n\n"+
			"Set record to the output record of data \"chain-image\" or \"chain\", as it is.", rec.Image)
	}
	existing := rec.Artifact()
	ui.Say(fmt.Sprintf("%s: %s: nothing is built (fingerprint %.12s)",
		rec.Image, text.OneLine(rec.Reason), rec.Fingerprint))
	for _, line := range existing.Lines() {
		ui.Say(line)
	}
	return existing, nil
}

// announce prints what has to be built, why, and what was built before in vain.
func announce(ui packersdk.Ui, rec record.Record) {
	what := rec.Image
	if len(rec.Sources) > 0 {
		what += " (" + text.List(rec.Pending) + ")"
	}
	ui.Say(fmt.Sprintf("%s has to be built: %s (fingerprint %.12s)",
		what, text.OneLine(rec.Reason), rec.Fingerprint))
	if len(rec.Abandoned) > 0 {
		ui.Error(fmt.Sprintf("warning: %s: built before with this fingerprint, and never published: "+
			"its test or its publication failed, the post-processor \"chain\" is missing, "+
			"or another run is at work", strings.Join(rec.Abandoned, ", ")))
	}
}
