// SPDX-License-Identifier: MPL-2.0

// Package image is the data source "chain-image": which image the template builds, and whether it
// has to be built.
package image

import (
	"context"
	"fmt"
	"os"
	"slices"
	"time"

	"github.com/hashicorp/hcl/v2/hcldec"
	"github.com/hashicorp/packer-plugin-sdk/hcl2helper"
	packersdk "github.com/hashicorp/packer-plugin-sdk/packer"
	"github.com/zclconf/go-cty/cty"

	"github.com/packer-chain/packer-plugin-chain/internal/access"
	"github.com/packer-chain/packer-plugin-chain/internal/crash"
	"github.com/packer-chain/packer-plugin-chain/internal/interrupt"
	"github.com/packer-chain/packer-plugin-chain/internal/manifest"
	"github.com/packer-chain/packer-plugin-chain/internal/option"
)

// timeout is how long a look-up may take altogether. Packer gives a data source no context, but a
// terminal sends Ctrl-C to the plugin too.
const timeout = 5 * time.Minute

var _ packersdk.Datasource = (*Datasource)(nil)

// Datasource is the data source "chain-image".
type Datasource struct {
	config Config
}

// ConfigSpec returns the options.
func (d *Datasource) ConfigSpec() hcldec.ObjectSpec {
	return d.config.FlatMapstructure().HCL2Spec()
}

// Configure checks the options, all at once. It does no I/O.
func (d *Datasource) Configure(raws ...any) (err error) {
	defer crash.Recover(`data "chain-image"`, &err)
	if err := option.Decode(&d.config, raws...); err != nil {
		return err
	}
	if errs := d.config.prepare(); len(errs) > 0 {
		return &packersdk.MultiError{Errors: errs}
	}
	return nil
}

// OutputSpec returns the outputs.
func (d *Datasource) OutputSpec() hcldec.ObjectSpec {
	spec := (&DatasourceOutput{}).FlatMapstructure().HCL2Spec()
	// The generator knows no map of lists.
	spec[forEachOutput] = &hcldec.AttrSpec{Name: forEachOutput, Type: cty.Map(cty.List(cty.String))}
	return spec
}

const forEachOutput = "for_each"

// Execute computes the fingerprint and looks up whether the image exists.
func (d *Datasource) Execute() (value cty.Value, err error) {
	defer crash.Recover(`data "chain-image"`, &err)
	ctx, stop := interrupt.Context(timeout)
	defer stop()
	out, err := d.find(ctx)
	if err != nil {
		return cty.NullVal(cty.EmptyObject), fmt.Errorf("find image %s: %w",
			d.config.Image, manifest.Advise(err))
	}
	spec := (&DatasourceOutput{}).FlatMapstructure().HCL2Spec()
	values := hcl2helper.HCL2ValueFromConfig(out, spec).AsValueMap()
	values[forEachOutput] = forEach(d.config, out.Pending)
	return cty.ObjectVal(values), nil
}

func (d *Datasource) find(ctx context.Context) (DatasourceOutput, error) {
	c := d.config
	if err := option.Known(&c); err != nil {
		return DatasourceOutput{}, err
	}
	id, err := identify(ctx, c, os.Getenv)
	if err != nil {
		return DatasourceOutput{}, err
	}
	conn := access.Open(ctx, &c.Config, c.Registry, nil)
	found, err := lookUp(ctx, conn, c, id)
	if err != nil {
		return DatasourceOutput{}, err
	}
	decided := decide(c, id.facts, found, time.Now())
	if len(decided.pending) > 0 && !found.none() {
		known := slices.Concat(found.all(), found.unpublished)
		found.abandoned = abandoned(ctx, conn, c, id.facts.Fingerprint, known)
	}
	return output(c, conn.Region(), id, found, decided)
}
