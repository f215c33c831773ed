// SPDX-License-Identifier: MPL-2.0

// Package revoke is the post-processor "chain-revoke": it takes an image out of use, or back into
// it. Running it again finishes what was interrupted.
package revoke

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/hashicorp/hcl/v2/hcldec"
	packersdk "github.com/hashicorp/packer-plugin-sdk/packer"

	"github.com/packer-chain/packer-plugin-chain/internal/access"
	"github.com/packer-chain/packer-plugin-chain/internal/ci"
	"github.com/packer-chain/packer-plugin-chain/internal/crash"
	"github.com/packer-chain/packer-plugin-chain/internal/manifest"
	"github.com/packer-chain/packer-plugin-chain/internal/option"
	"github.com/packer-chain/packer-plugin-chain/internal/record"
	"github.com/packer-chain/packer-plugin-chain/internal/tags"
	"github.com/packer-chain/packer-plugin-chain/internal/text"
)

const (
	// component is what a user calls this.
	component = `post-processor "chain-revoke"`

	none           = "none"
	defaultTimeout = 5 * time.Minute
	// builderType is what Packer calls the gate.
	builderType = "chain"
)

var _ packersdk.PostProcessor = (*PostProcessor)(nil)

// PostProcessor is the post-processor "chain-revoke".
type PostProcessor struct {
	config Config
}

// ConfigSpec returns the options.
func (p *PostProcessor) ConfigSpec() hcldec.ObjectSpec {
	return p.config.FlatMapstructure().HCL2Spec()
}

// Configure checks the options, all at once. It does no I/O.
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

// prepare sets the defaults and returns everything that is wrong with the options.
func (c *Config) prepare() []error {
	if c.EC2 == "" {
		c.EC2 = none
	}
	if c.Timeout == 0 {
		c.Timeout = defaultTimeout
	}
	errs := append(c.checkRecord(), c.Prepare()...)
	var check option.Checker
	check.That("ec2", c.EC2, option.OneOf(none, manifest.EC2Deprecate, manifest.EC2Disable))
	check.Duration("timeout", c.Timeout)
	if c.Reason == "" && !c.Restore {
		check.Addf("reason is required: it is what others read who find the image revoked")
	}
	for _, broken := range tags.Check(map[string]string{tags.Revoked: c.Reason}) {
		check.Addf("reason becomes a tag: %s", broken)
	}
	return append(errs, check.Errors...)
}

// checkRecord checks the record, if it is known by then, and takes the AWS options that are not set
// from it.
func (c *Config) checkRecord() []error {
	if c.Record == option.Unknown {
		return nil
	}
	rec, err := record.Decode(c.Record)
	switch {
	case err != nil:
		return []error{err}
	case rec.Pointer == nil:
		return []error{errors.New("record is that of a data \"chain-image\"\n\nTo say which image is " +
			"meant, set record = data.chain.NAME.record.")}
	case c.PackerBuilderType != "" && c.PackerBuilderType != builderType:
		return []error{fmt.Errorf("%s.%s builds an image, and this one is only revoked\n\n"+
			"Add only = [\"chain.NAME\"] to the post-processor.", c.PackerBuilderType, c.PackerBuildName)}
	}
	if others := rec.Pointer.Others; len(others) > 0 {
		return []error{fmt.Errorf("image %s was built several times with this fingerprint, and each "+
			"build is revoked on its own. Newest first:\n\n  %s\n  %s\n\nSay which one is meant: set ami "+
			"of data \"chain\" to one of its AMIs, or find it by channel and previous.", rec.Image,
			idsOf(rec), strings.Join(others, "\n  "))}
	}
	if err := c.Inherit(rec.Access); err != nil {
		return []error{err}
	}
	return nil
}

// idsOf returns the ids of the image of a record, on one line.
func idsOf(rec record.Record) string {
	id := rec.Artifact().Id()
	for _, separator := range []string{":", ","} {
		id = strings.ReplaceAll(id, separator, separator+" ")
	}
	return text.OneLine(id)
}

// PostProcess revokes the image, or restores it, and passes the artifact on.
func (p *PostProcessor) PostProcess(
	ctx context.Context, ui packersdk.Ui, source packersdk.Artifact,
) (kept packersdk.Artifact, keepInput, forceKeep bool, err error) {
	err = crash.Guard(component, func() error { return p.run(ctx, ui, source) })()
	return source, true, true, err
}

func (p *PostProcessor) run(
	ctx context.Context, ui packersdk.Ui, source packersdk.Artifact,
) error {
	rec, err := record.Decode(p.config.Record)
	if err != nil {
		return err
	}
	if err := option.Known(&p.config, "record"); err != nil {
		return err
	}
	if why := rec.Artifact().Differs(source); why != "" {
		return fmt.Errorf("revoke %s: %s\n\nIf a build has several images, each post-processor needs "+
			"only = [...]. Nothing was changed.", rec.Image, why)
	}
	ctx, cancel := context.WithTimeout(ctx, p.config.Timeout)
	defer cancel()
	conn := access.Open(ctx, &p.config.Config, rec.Registry, ui.Say)
	reg, err := conn.Registry()
	if err != nil {
		return err
	}
	change := ci.Detect(os.Getenv).Change(p.config.Reason)
	job := retirement{config: p.config, ui: ui, rec: rec, conn: conn, reg: reg, change: change}
	if p.config.Restore {
		if err := job.restore(ctx); err != nil {
			return fmt.Errorf("restore %s: %w", rec.Image, err)
		}
		return nil
	}
	if err := job.revoke(ctx); err != nil {
		return fmt.Errorf("revoke %s: %w", rec.Image, err)
	}
	return nil
}
