// SPDX-License-Identifier: MPL-2.0

package publish

import (
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/packer-chain/packer-plugin-chain/internal/ami/amitest"
	"github.com/packer-chain/packer-plugin-chain/internal/parameter/parametertest"
	"github.com/packer-chain/packer-plugin-chain/internal/record"
	"github.com/packer-chain/packer-plugin-chain/internal/registry"
)

// meanwhile moves production to another image when the first parameter is written, and returns that
// image.
func (s *shop) meanwhile() record.Record {
	s.t.Helper()
	other := s.record("other", ami1, ami2)
	var once sync.Once
	s.ssm.Check = func(string) (time.Duration, bool) {
		once.Do(func() {
			moved(s.t, s.dir, "production", func(r *registry.Request) {
				r.To.Fingerprint, r.To.Builds = print1, other.Pointer.Builds
			})
		})
		return 0, true
	}
	return other
}

// TestDeliver_race: another run moves the channel between the move and the write. The parameter
// follows, once EC2 has said that those AMIs are ours: only the registry names them.
func TestDeliver_race(t *testing.T) {
	s := newShop(t)
	s.meanwhile()
	ui, err := s.promote(byPath, map[string][]amitest.Step{
		here:  append(s.looked(here), amitest.Describe(amitest.Image{ID: ami1})),
		there: append(s.looked(there), amitest.Describe(amitest.Image{ID: ami2}))})
	check(t, err)
	s.wantParameters(ami1, ami2)
	if want := "channel production was moved to 111111111111 meanwhile: its parameters follow"; !slices.Contains(ui.said, want) {
		t.Errorf("got %q, want %q", ui.said, want)
	}
}

// TestDeliver_race_foreign leaves the parameters where they are if the other image is not ours.
func TestDeliver_race_foreign(t *testing.T) {
	s := newShop(t)
	s.meanwhile()
	_, err := s.promote(byPath, map[string][]amitest.Step{
		here: append(s.looked(here), amitest.Describe(amitest.Image{ID: ami1})),
		there: append(s.looked(there), amitest.Describe(), amitest.Describe(amitest.Image{ID: ami2, Owner: "999999999999"}),
			amitest.Describe())})
	for _, want := range []string{"promote app: the parameters of channel production do not follow: " + ami2 + " in " + there +
		" belongs to 999999999999, not to self", "Move the channel to a good image."} {
		if err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "No channel is moved") {
			t.Errorf("got %v\nwant %q in it", err, want)
		}
	}
	s.wantParameters(regionAMIs[here], regionAMIs[there])
}

// TestDeliver_otherType is red although the channel has moved, and leaves alone what is no
// parameter for an AMI. The other regions are written.
func TestDeliver_otherType(t *testing.T) {
	s := newShop(t)
	secret := parametertest.Parameter{Value: "hunter2", Type: "SecureString", DataType: "text", Version: 1}
	s.ssm.Set(there, path, secret)
	_, err := s.promote(byPath, inBoth(s.looked))
	want := "promote app: write parameter " + path + " in " + there + ": its type is SecureString"
	if err == nil || !strings.HasPrefix(err.Error(), want) || strings.Contains(err.Error(), "hunter2") {
		t.Errorf("got %v, want %s", err, want)
	}
	if got := s.ssm.Shown(there, path); got != secret || !points(t, s.dir, "production") {
		t.Errorf("got %+v", got)
	}
}

// TestDeliver_crossed: two images of one fingerprint in one template never cross: neither a channel
// nor a parameter gets the AMIs of the other run.
func TestDeliver_crossed(t *testing.T) {
	s := newShop(t)
	other := s.record("other", ami1, ami2)
	server := amitest.Start(t, map[string][]amitest.Step{here: nil, there: nil})
	p := configured(t, "chain", s.rec, s.access(server.URL)+production+"\n"+byPath+toOthers)
	_, _, _, err := p.PostProcess(t.Context(), &screen{}, other.Artifact())
	s.untouched(err, "the artifact is that of another record", "only = [...]")
}
