// SPDX-License-Identifier: MPL-2.0

// Package report is the builder "chain-report": it writes what a registry holds into a page, a JSON
// document and a flowchart.
package report

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/hashicorp/hcl/v2/hcldec"
	packersdk "github.com/hashicorp/packer-plugin-sdk/packer"

	"github.com/packer-chain/packer-plugin-chain/internal/access"
	"github.com/packer-chain/packer-plugin-chain/internal/artifact"
	"github.com/packer-chain/packer-plugin-chain/internal/crash"
	"github.com/packer-chain/packer-plugin-chain/internal/manifest"
	"github.com/packer-chain/packer-plugin-chain/internal/option"
	"github.com/packer-chain/packer-plugin-chain/internal/registry"
	"github.com/packer-chain/packer-plugin-chain/internal/report"
)

const (
	component = `source "chain-report"`

	defaultOutput  = "chain-report"
	defaultTimeout = 10 * time.Minute
)

var _ packersdk.Builder = (*Builder)(nil)

// Builder is the builder "chain-report".
type Builder struct {
	config Config
}

// ConfigSpec returns the options.
func (b *Builder) ConfigSpec() hcldec.ObjectSpec { return b.config.FlatMapstructure().HCL2Spec() }

// Prepare checks the options. It does no I/O.
func (b *Builder) Prepare(raws ...any) (vars, warnings []string, err error) {
	defer crash.Recover(component, &err)
	if err := option.Decode(&b.config, raws...); err != nil {
		return nil, nil, err
	}
	if errs := b.config.prepare(); len(errs) > 0 {
		return nil, nil, &packersdk.MultiError{Errors: errs}
	}
	return artifact.AmazonData, nil, nil
}

// prepare sets the defaults and returns everything that is wrong with the options.
func (c *Config) prepare() []error {
	c.Registry = cmp.Or(c.Registry, os.Getenv(registry.Variable))
	c.Output = cmp.Or(c.Output, defaultOutput)
	if c.Timeout == 0 {
		c.Timeout = defaultTimeout
	}
	errs := c.Prepare()
	var check option.Checker
	check.That("registry", c.Registry, registry.CheckLocation)
	check.List("images", c.Images, checkGlob)
	check.List("channels", c.Channels, checkGlob)
	check.Duration("timeout", c.Timeout)
	for image := range c.Paths {
		if err := manifest.CheckImage(image); err != nil {
			check.Addf("paths: image %w", err)
		}
	}
	return append(errs, check.Errors...)
}

func checkGlob(s string) error {
	if _, err := path.Match(s, ""); err != nil || s == "" {
		return fmt.Errorf("must be a name, in which * stands for any characters, got %.80q", s)
	}
	return nil
}

// Run reads the registry and writes the files. What is damaged is shown in them, and fails nothing.
func (b *Builder) Run(
	ctx context.Context, ui packersdk.Ui, _ packersdk.Hook,
) (_ packersdk.Artifact, err error) {
	defer crash.Recover(component, &err)
	if err := option.Known(&b.config); err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, b.config.Timeout)
	defer cancel()
	made, err := b.make(ctx, ui)
	if err != nil {
		return nil, fmt.Errorf("report on %s: %w", b.config.Registry, err)
	}
	say(ui, made)
	files, err := write(b.config.Output, made)
	if err != nil {
		return nil, err
	}
	for _, file := range files {
		ui.Say(file)
	}
	return artifact.NewFiles("chain-report", files), nil
}

// make reads the registry, and what the options ask for besides.
func (b *Builder) make(ctx context.Context, ui packersdk.Ui) (report.Report, error) {
	conn := access.Open(ctx, &b.config.Config, b.config.Registry, ui.Say)
	reg, err := conn.Registry()
	if err != nil {
		return report.Report{}, err
	}
	contents, err := report.Read(ctx, reg, ui.Say)
	if err != nil {
		return report.Report{}, err
	}
	contents.Registry = b.config.Registry
	if len(contents.Images) == 0 {
		return report.Report{}, errors.New("it has no images\n\nCheck registry: nothing was " +
			"published there yet.")
	}
	options := report.Options{
		Title: b.config.Title, Images: b.config.Images, Channels: b.config.Channels,
	}
	if b.config.CheckAMIs {
		if options.States, err = states(ctx, conn, contents); err != nil {
			return report.Report{}, err
		}
	}
	options.Changed = changed(ctx, b.config.Paths, contents)
	return report.Make(contents, options), nil
}

// say prints how many images there are of each status, and what is not current.
func say(ui packersdk.Ui, r report.Report) {
	count := map[report.Status]int{}
	for _, image := range r.Images {
		count[image.Status]++
	}
	var parts []string
	all := []report.Status{
		report.Current, report.Outdated, report.Incomplete, report.Revoked, report.Unknown,
	}
	for _, status := range all {
		if count[status] > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", count[status], status))
		}
	}
	ui.Say(fmt.Sprintf("%d images: %s", len(r.Images), strings.Join(parts, ", ")))
	for _, image := range r.Images {
		if image.Status != report.Current {
			ui.Say(fmt.Sprintf("  %s is %s: %s", image.Name, image.Status, image.Reason))
		}
		for _, problem := range image.Problems {
			ui.Error("warning: " + problem)
		}
	}
	for _, problem := range r.Problems {
		ui.Error("warning: " + problem)
	}
	if len(r.Plan) > 0 {
		ui.Say("to build next: " + strings.Join(slices.Collect(func(yield func(string) bool) {
			for _, step := range r.Plan {
				if !yield(step.Image) {
					return
				}
			}
		}), ", "))
	}
}
