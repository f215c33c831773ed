// SPDX-License-Identifier: MPL-2.0

package registry

import (
	"fmt"
	"strings"
	"testing"

	"github.com/packer-chain/packer-plugin-chain/internal/manifest"
	"github.com/packer-chain/packer-plugin-chain/internal/store/storetest/memstore"
)

// The second look, after a lost answer, forgot what the ref had pointed at: the move could not be taken back.
func TestMoveBack_afterLostAnswer(t *testing.T) {
	s := &lossy{Store: memstore.New(), lost: map[string]bool{}}
	reg := New(s)
	if _, err := reg.Move(t.Context(), image, "latest", Target{Fingerprint: fp1}, NotBack, "ci"); err != nil {
		t.Fatal(err)
	}
	s.lost = map[string]bool{}
	moved, err := reg.Move(t.Context(), image, "latest", Target{Fingerprint: fp2}, NotBack, "ci")
	if err != nil || !moved.Moved || moved.Seq != 2 || len(s.lost) != 1 {
		t.Fatalf("got %+v %v, lost %v", moved, err, s.lost)
	}
	if err := reg.MoveBack(t.Context(), image, "latest", moved); err != nil {
		t.Fatal(err)
	}
	if ref, err := reg.Ref(t.Context(), image, "latest"); err != nil || ref.Fingerprint != fp1 || ref.Seq != 3 {
		t.Errorf("got %+v %v, want it back on the first build", ref, err)
	}
}

// A revocation did not know its own write: each lost answer made it write again.
func TestWithdraw_afterLostAnswer(t *testing.T) {
	s := &lossy{Store: memstore.New(), lost: map[string]bool{}}
	reg := New(s)
	ours := []manifest.Entry{entry("run1", "app")}
	if _, err := reg.Publish(t.Context(), ours, facts(fp1)); err != nil {
		t.Fatal(err)
	}
	s.lost = map[string]bool{}
	if found, err := reg.Withdraw(t.Context(), image, fp1, ours); err != nil || !found || len(s.lost) != 1 {
		t.Fatalf("found %t, error %v, lost %v", found, err, s.lost)
	}
	stored, err := reg.Manifest(t.Context(), image, fp1)
	if err != nil || stored.Manifest.Chain.Revoked == "" || stored.Manifest.Chain.Seq != 2 {
		t.Errorf("got %+v %v, want it revoked by one write", stored.Manifest.Chain, err)
	}
}

// An image that is built again and again drops its oldest entries, and never outgrows the limit. It did,
// and could not be published any more.
func TestPublish_overLimit(t *testing.T) {
	reg := New(memstore.New())
	big := func(run, source string) []manifest.Entry {
		e := entry(run, source)
		e.CustomData = map[string]string{"notes": strings.Repeat("n", 450_000)}
		return []manifest.Entry{e}
	}
	for run := range 4 {
		stored, err := reg.Publish(t.Context(), big(fmt.Sprint("run", run), "app"), facts(fp1))
		if err != nil {
			t.Fatal(err)
		}
		if current := stored.Manifest.Current(); len(current) != 1 || current[0].PackerRunUUID != fmt.Sprint("run", run) {
			t.Fatalf("run %d is not current", run)
		}
	}
	var err error
	for source := 0; source < 4 && err == nil; source++ {
		_, err = reg.Publish(t.Context(), big("run9", fmt.Sprint("source", source)), facts(fp1))
	}
	want := "write memory://snowflake/builds/" + fp1 + ".json: document is too large: it has 135"
	if err == nil || !strings.HasPrefix(err.Error(), want) || !strings.Contains(err.Error(), "make several images of it") {
		t.Errorf("error %v, want %s…", err, want)
	}
	if stored, err := reg.Manifest(t.Context(), image, fp1); err != nil || len(stored.Manifest.Builds) != 2 {
		t.Errorf("the document is not as it was: %v", err)
	}
}
