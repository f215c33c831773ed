// SPDX-License-Identifier: MPL-2.0

// Package parent is the data source "chain": it resolves the image that another one is built on,
// and checks that it exists and is ours before anything is built on it.
package parent

import (
	"context"
	"fmt"
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

// Datasource is the data source "chain".
type Datasource struct {
	config Config
}

// ConfigSpec returns the options.
func (d *Datasource) ConfigSpec() hcldec.ObjectSpec {
	return d.config.FlatMapstructure().HCL2Spec()
}

// Configure checks the options, all at once. It does no I/O.
func (d *Datasource) Configure(raws ...any) (err error) {
	defer crash.Recover(`data "chain"`, &err)
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
	return (&DatasourceOutput{}).FlatMapstructure().HCL2Spec()
}

// Execute resolves the parent.
func (d *Datasource) Execute() (value cty.Value, err error) {
	defer crash.Recover(`data "chain"`, &err)
	ctx, stop := interrupt.Context(timeout)
	defer stop()
	out, err := d.resolve(ctx)
	if err != nil {
		return cty.NullVal(cty.EmptyObject), fmt.Errorf("resolve image %s: %w",
			d.config.Image, manifest.Advise(err))
	}
	return hcl2helper.HCL2ValueFromConfig(out, d.OutputSpec()), nil
}

func (d *Datasource) resolve(ctx context.Context) (DatasourceOutput, error) {
	if d.config.Enabled.False() {
		return emptyOutput(), nil
	}
	if err := option.Known(&d.config); err != nil {
		return DatasourceOutput{}, err
	}
	conn := access.Open(ctx, &d.config.Config, d.config.Registry, nil)
	found, err := resolve(ctx, conn, d.config)
	if err != nil {
		return DatasourceOutput{}, err
	}
	if found == nil {
		return emptyOutput(), nil
	}
	return found.output(d.config)
}
