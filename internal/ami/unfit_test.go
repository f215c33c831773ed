// SPDX-License-Identifier: MPL-2.0

package ami

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/packer-chain/packer-plugin-chain/internal/ami/amitest"
	"github.com/packer-chain/packer-plugin-chain/internal/manifest"
	"github.com/packer-chain/packer-plugin-chain/internal/tags"
)

func TestJudge(t *testing.T) {
	now := time.Date(2026, 6, 1, 12, 0, 0, 0, time.UTC)
	revoked := Image{Tags: map[string]string{tags.Revoked: "CVE\nin  it"}}
	silent := Image{Tags: map[string]string{tags.Revoked: ""}}
	deprecated := Image{DeprecatedAt: now}
	for name, tt := range map[string]struct {
		image               Image
		deprecated, revoked bool
		want                Flaw
	}{
		"good":                {},
		"revoked":             {image: revoked, want: Flaw{"is revoked: CVE in it", "allow_revoked"}},
		"revoked in silence":  {image: silent, want: Flaw{"is revoked", "allow_revoked"}},
		"revoked, allowed":    {image: revoked, revoked: true},
		"deprecated":          {image: deprecated, want: Flaw{"has been deprecated since 2026-06-01T12:00:00Z", "allow_deprecated"}},
		"deprecated, allowed": {image: deprecated, deprecated: true},
		"not deprecated yet":  {image: Image{DeprecatedAt: now.Add(1)}},
	} {
		if got := Judge(tt.image, now, tt.deprecated, tt.revoked); got != tt.want {
			t.Errorf("%s: got %+v, want %+v", name, got, tt.want)
		}
	}
}

// TestClient_Settled_young: an AMI that was created minutes ago, and that EC2 does not show, is not
// gone yet. The wait ends when the AMI is old enough to be seen.
func TestClient_Settled_young(t *testing.T) {
	none := amitest.Describe()
	for name, tt := range map[string]struct {
		steps []amitest.Step
		age   time.Duration
		found int
		most  time.Duration
	}{
		"shown later":       {append(amitest.Times(5, none), amitest.Describe(amitest.Image{ID: idA})), time.Minute, 1, 10 * time.Second},
		"never shown":       {amitest.Times(29, none), time.Minute, 0, 2*time.Minute + 5*time.Second},
		"old":               {[]amitest.Step{none}, 4 * time.Minute, 0, 0},
		"from the future":   {[]amitest.Step{none}, -time.Hour, 0, 0},
		"shown at once":     {[]amitest.Step{amitest.Describe(amitest.Image{ID: idA})}, 0, 1, 0},
		"of unknown age":    {[]amitest.Step{none}, 1 << 62, 0, 0},
		"clock a bit ahead": {append(amitest.Times(2, none), amitest.Describe(amitest.Image{ID: idA})), -time.Minute, 1, time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
				defer cancel()
				c, _ := script(t, tt.steps...)
				begun := time.Now()
				births := BirthsOf([]manifest.Entry{{BuildTime: begun.Add(-tt.age).Unix(),
					Images: []manifest.Image{{Provider: "aws", Region: "eu-west-1", ID: idA}}}})
				found, err := c.Lookup(ctx, map[string][]string{"eu-west-1": {idA}}, nil, births)
				if err != nil || len(found) != tt.found || time.Since(begun) > tt.most {
					t.Errorf("got %v, %v after %s", found, err, time.Since(begun))
				}
			})
		})
	}
}

// TestClient_Settled_foreign: nobody waits for a new AMI that belongs to an account which is not
// wanted. One whose owner EC2 does not show yet may be wanted.
func TestClient_Settled_foreign(t *testing.T) {
	const acme, other = "111122223333", "444455556666"
	none, hidden := amitest.Describe(), amitest.NotFound().On("DescribeImages")
	of := func(owner string) amitest.Step {
		return amitest.Describe(amitest.Image{ID: idA, Owner: owner})
	}
	for name, tt := range map[string]struct {
		steps  []amitest.Step
		owners []string
		found  int
		waits  int
	}{
		"of another account": {[]amitest.Step{none, of(other)}, []string{acme}, 0, 0},
		"that is late":       {[]amitest.Step{none, hidden, none, of(other)}, []string{acme}, 0, 1},
		"of this account":    {[]amitest.Step{none, of(acme), of(acme)}, []string{acme}, 1, 1},
		"perhaps of self":    {[]amitest.Step{none, of(acme)}, []string{"self", other}, 1, 1},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c, log := script(t, tt.steps...)
				births := Births{{Region: "eu-west-1", ID: idA}: time.Now()}
				found, err := c.Settled(t.Context(), "eu-west-1", []string{idA}, tt.owners, births)
				if err != nil || len(found) != tt.found || len(log.waits) != tt.waits {
					t.Errorf("got %v, %v after %d waits", found, err, len(log.waits))
				}
			})
		})
	}
}
