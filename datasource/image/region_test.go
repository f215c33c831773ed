// SPDX-License-Identifier: MPL-2.0

package image

import (
	"strings"
	"testing"

	"github.com/packer-chain/packer-plugin-chain/internal/access"
	"github.com/packer-chain/packer-plugin-chain/internal/manifest"
	"github.com/packer-chain/packer-plugin-chain/internal/record"
)

func TestOutput_access(t *testing.T) {
	for _, tt := range []struct {
		regions       []string
		session, want string
	}{
		{nil, "eu-west-1", "eu-west-1"},
		{nil, "", ""},
		{[]string{"us-east-1", "eu-west-1"}, "eu-west-1", "eu-west-1"},
		{[]string{"us-east-1", "us-west-2"}, "eu-west-1", "us-east-1"},
		{[]string{"us-east-1"}, "", "us-east-1"},
	} {
		c := Config{Image: "app", Regions: tt.regions, Config: access.Config{Profile: "images",
			AssumeRole: &access.AssumeRole{RoleARN: "arn:aws:iam::123456789012:role/x", ExternalID: "hide-this-id"}}}
		id := identity{facts: manifest.Facts{Image: "app", Fingerprint: strings.Repeat("1", 64)}}
		out, err := output(c, tt.session, id, existing{}, decision{pending: []string{"app"}})
		if err != nil {
			t.Fatal(err)
		}
		if out.Region != tt.want {
			t.Errorf("regions %q, session %q: got %q, want %q", tt.regions, tt.session, out.Region, tt.want)
		}
		rec, err := record.Decode(out.Record)
		if err != nil {
			t.Fatal(err)
		}
		if rec.Access.Options["profile"] != "images" || len(rec.Access.Withheld) != 1 ||
			strings.Contains(out.Record, "hide-this-id") {
			t.Errorf("the record has %+v", rec.Access)
		}
	}
}
