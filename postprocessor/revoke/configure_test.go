// SPDX-License-Identifier: MPL-2.0

package revoke

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/packer-chain/packer-plugin-chain/internal/option/optiontest"
	"github.com/packer-chain/packer-plugin-chain/internal/record"
)

func TestConfigure_errors(t *testing.T) {
	w := newWorld(t)
	const unknown = "record = \"<unknown>\"\n"
	const because = "reason is required: it is what others read who find the image revoked"
	for name, tt := range map[string]struct {
		in   string
		want []string
	}{
		"nothing":         {"", []string{"record is required\n\nSet record = data.chain-image.NAME.record.", because}},
		"good":            {unknown + `reason = "leaked"`, nil},
		"restore":         {unknown + `restore = true`, nil},
		"not a record":    {"record = \"ami-0a1b2c3d\"\nreason = \"leaked\"", []string{`record is not one of data "chain-image" or "chain"`}},
		"unknown":         {unknown + `reason = "<unknown>"`, nil},
		"ec2":             {unknown + "reason = \"x\"\nec2 = \"deregister\"", []string{`ec2 must be one of none, deprecate, disable, got "deregister"`}},
		"timeout":         {unknown + "reason = \"x\"\ntimeout = \"-5m\"", []string{"timeout must be"}},
		"a long reason":   {unknown + `reason = "` + strings.Repeat("x", 256) + `"`, []string{"reason becomes a tag: "}},
		"control":         {unknown + "reason = \"a\\u0007b\"", []string{"reason becomes a tag: "}},
		"several at once": {unknown + "ec2 = \"off\"", []string{"ec2 must be", because}},
	} {
		t.Run(name, func(t *testing.T) {
			p := &PostProcessor{}
			errs := optiontest.Texts(p.Configure(map[string]any{"packer_builder_type": "chain"}, optiontest.Decode(t, p, tt.in)))
			if len(errs) != len(tt.want) {
				t.Fatalf("got %q, want %q", errs, tt.want)
			}
			for i, want := range tt.want {
				if !strings.HasPrefix(errs[i], want) {
					t.Errorf("got %q, want %q", errs[i], want)
				}
			}
		})
	}
	w.publish(amiEntry("run"))
	of := func(change func(*record.Record)) record.Record {
		rec := w.record("run")
		change(&rec)
		return rec
	}
	for name, tt := range map[string]struct {
		builder string
		rec     record.Record
		want    []string
	}{
		"good": {"chain", of(func(*record.Record) {}), nil},
		"of one build of several": {"chain", of(func(rec *record.Record) { rec.Pointer.Others = []string{"eu-west-1: ami-0d3e4f5a6b708192a"} }), []string{
			"image app was built several times with this fingerprint, and each build is revoked on its own. Newest first:" +
				"\n\n  eu-west-1: ami-0a1b2c3d4e5f60718, us-east-1: ami-0e1b2c3d4e5f60718\n  eu-west-1: ami-0d3e4f5a6b708192a" +
				"\n\nSay which one is meant: set ami of data \"chain\" to one of its AMIs, or find it by channel and previous."}},
		"of data chain-image": {"chain", of(func(rec *record.Record) { rec.Pointer = nil }), []string{
			"record is that of a data \"chain-image\"\n\nTo say which image is meant, set record = data.chain.NAME.record."}},
		"beside a builder": {"amazon-ebs", of(func(*record.Record) {}), []string{
			"amazon-ebs.image builds an image, and this one is only revoked\n\nAdd only = [\"chain.NAME\"] to the post-processor."}},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := configure(t, tt.builder, tt.rec, `reason = "leaked"`)
			if diff := cmp.Diff(tt.want, optiontest.Texts(err)); diff != "" {
				t.Error(diff)
			}
		})
	}
}
