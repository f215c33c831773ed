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
	"path/filepath"
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
	"github.com/packer-chain/packer-plugin-chain/internal/text"
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
	if len(c.Owners) == 0 {
		c.Owners = []string{"self"}
	}
	if c.Timeout == 0 {
		c.Timeout = defaultTimeout
	}
	errs := c.Prepare()
	var check option.Checker
	check.That("registry", c.Registry, registry.CheckLocation)
	check.List("images", c.Images, checkGlob)
	check.List("channels", c.Channels, checkGlob)
	check.List("owners", c.Owners, option.Owner)
	check.Duration("timeout", c.Timeout)
	if in, err := registry.ParseLocation(c.Registry); err == nil && in.Dir != "" &&
		isBelow(in.Dir, c.Output) {
		check.Addf("output must not be in the registry, where a folder is an image, got %.80q", c.Output)
	}
	for image := range c.Paths {
		if err := manifest.CheckImage(image); err != nil {
			check.Addf("paths: image %w", err)
		}
	}
	return append(errs, check.Errors...)
}

// isBelow reports whether a path is a folder, or in it.
func isBelow(folder, path string) bool {
	path, err := filepath.Abs(path)
	if err != nil {
		return false
	}
	path, err = filepath.Rel(folder, path)
	return err == nil && filepath.IsLocal(path)
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
	if err != nil && errors.Is(ctx.Err(), context.DeadlineExceeded) {
		return nil, fmt.Errorf("report on %s: not done after %s, the option timeout: %w",
			b.config.Registry, b.config.Timeout, err)
	}
	if err != nil {
		return nil, fmt.Errorf("report on %s: %w", b.config.Registry, err)
	}
	say(ui, made)
	b.config.warn(ui, made)
	files, err := write(b.config.Output, made)
	if err != nil {
		return nil, err
	}
	ui.Say("the report: " + files[0])
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
	if len(contents.Images) == 0 && len(b.config.Paths) == 0 {
		return report.Report{}, errors.New("it has no images\n\nCheck registry: nothing was " +
			"published there yet.")
	}
	options, err := b.config.ask(ctx, conn, contents, ui.Say)
	if err != nil {
		return report.Report{}, err
	}
	return report.Make(contents, options), nil
}

// say prints how many images there are of each status, what is not current, and what to build next.
func say(ui packersdk.Ui, r report.Report) {
	ui.Say(headline(r))
	for _, image := range r.Images {
		if image.Status != report.Current {
			ui.Say("  " + image.Name + ": " + image.Status.With(image.Reason))
		}
		for _, channel := range image.Worse() {
			ui.Say(fmt.Sprintf("  %s, channel %s: %s",
				image.Name, channel.Name, channel.Status.With(channel.Reason)))
		}
		for _, problem := range image.Problems {
			if !strings.Contains(image.Reason, problem) {
				ui.Error("warning: " + problem)
			}
		}
	}
	for _, problem := range r.Problems {
		ui.Error("warning: " + problem)
	}
	if len(r.Plan) == 0 {
		return
	}
	var next []string
	for _, step := range r.Plan {
		next = append(next, step.Image)
	}
	ui.Say("to build next, in this order: " + text.List(next))
}

// headline returns how many images there are of each status.
func headline(r report.Report) string {
	var counts []string
	for _, count := range r.Counts() {
		counts = append(counts, count.String())
	}
	switch len(r.Images) {
	case 0:
		return "no images are shown"
	case 1:
		return "1 image: " + text.List(counts)
	}
	return fmt.Sprintf("%d images: %s", len(r.Images), text.List(counts))
}

// warn warns of names that nothing matches: they may be misspelled.
func (c *Config) warn(ui packersdk.Ui, r report.Report) {
	var images, channels []string
	for _, image := range r.Images {
		images = append(images, image.Name)
		for _, channel := range image.Channels {
			channels = append(channels, channel.Name)
		}
	}
	for _, glob := range unmatched(c.Images, images) {
		ui.Error(fmt.Sprintf("warning: images: no image matches %.80q", glob))
	}
	for _, glob := range unmatched(c.Channels, channels) {
		ui.Error(fmt.Sprintf("warning: channels: no channel of these images matches %.80q", glob))
	}
}

// unmatched returns the globs that cover none of the names.
func unmatched(globs, names []string) []string {
	return slices.DeleteFunc(slices.Clone(globs), func(glob string) bool {
		return slices.ContainsFunc(names, func(name string) bool {
			return report.Matches([]string{glob}, name)
		})
	})
}
