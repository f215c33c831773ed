// SPDX-License-Identifier: MPL-2.0

package registry

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/packer-chain/packer-plugin-chain/internal/manifest"
	"github.com/packer-chain/packer-plugin-chain/internal/store/dirstore"
	"github.com/packer-chain/packer-plugin-chain/internal/store/storetest/memstore"
)

// TestRevoke marks one build of two. A pointer on the other one still leads there, and a run that
// publishes afterwards takes nothing back.
func TestRevoke(t *testing.T) {
	reg := New(memstore.New())
	bad := request(latest, publish(t, reg, fp1, "run1"), "c1", 1).To
	move(t, reg, request(latest, publish(t, reg, fp1, "run2"), "c2", 2))
	mark := manifest.Revocation{Change: manifest.Change{By: "jane", Reason: "leaked"}}
	for range 2 { // To repeat it changes nothing.
		stored, err := reg.Revoke(t.Context(), image, bad, mark)
		if err != nil || stored.Manifest.Chain.Seq != 3 {
			t.Fatalf("got %v, %+v", err, stored.Manifest)
		}
		first := stored.Manifest.Builds[0].Revoked
		if first == nil || first.Reason != "leaked" || first.By != "jane" || first.At.IsZero() || stored.Manifest.Builds[1].Revoked != nil {
			t.Errorf("got %+v", stored.Manifest.Builds)
		}
	}
	pointer, err := reg.Pointer(t.Context(), image, latest)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := reg.Follow(t.Context(), pointer, pointer.Moves[0]); err != nil {
		t.Error(err)
	}
	if after := publish(t, reg, fp1, "run3"); after.Manifest.Builds[0].Revoked == nil {
		t.Error("a later run has lifted the mark")
	}
	seen, err := reg.Manifest(t.Context(), image, fp1)
	if err != nil {
		t.Fatal(err)
	}
	more := manifest.Revocation{EC2: []string{manifest.EC2Disable}}
	if _, err := reg.Revoke(t.Context(), image, bad, more); err != nil {
		t.Fatal(err)
	}
	if _, err := reg.Restore(t.Context(), image, bad, seen); err == nil || !strings.Contains(err.Error(), "revoked again meanwhile") {
		t.Errorf("got %v", err)
	}
	unseen := Stored{Manifest: &manifest.Manifest{}}
	if _, err := reg.Restore(t.Context(), image, bad, unseen); err == nil || !strings.Contains(err.Error(), "revoked again meanwhile") {
		t.Errorf("got %v", err)
	}
	if seen, err = reg.Manifest(t.Context(), image, fp1); err != nil {
		t.Fatal(err)
	}
	restored, err := reg.Restore(t.Context(), image, bad, seen)
	if err != nil || len(restored.Manifest.Live()) != 3 {
		t.Errorf("got %v, %+v", err, restored.Manifest)
	}
}

// TestRevoke_refuses what the manifest does not have: nobody knows what would be marked.
func TestRevoke_refuses(t *testing.T) {
	reg := New(memstore.New())
	to := request(latest, publish(t, reg, fp1, "run1"), "c1", 1).To
	to.Builds[0].Run = "other"
	if _, err := reg.Revoke(t.Context(), image, to, manifest.Revocation{}); err == nil || !strings.Contains(err.Error(), "no longer has the builds") {
		t.Errorf("got %v", err)
	}
	to.Fingerprint = fp2
	if _, err := reg.Restore(t.Context(), image, to, Stored{}); err == nil || !strings.Contains(err.Error(), "does not exist") {
		t.Errorf("got %v", err)
	}
}

func TestChannelsAt(t *testing.T) {
	reg := New(dirstore.New(t.TempDir()))
	first := request(latest, publish(t, reg, fp1, "run1"), "c1", 1)
	if at, err := reg.ChannelsAt(t.Context(), image, first.To); err != nil || len(at) > 0 {
		t.Fatalf("got %d, %v", len(at), err)
	}
	for _, name := range []string{"latest", "staging", "production"} {
		first.Name = Name{Channel, name}
		move(t, reg, first)
	}
	first.Name = Name{Line, "main"}
	move(t, reg, first)
	// The same fingerprint, and another run.
	move(t, reg, request(Name{Channel, "staging"}, publish(t, reg, fp1, "run2"), "c2", 2))
	at, err := reg.ChannelsAt(t.Context(), image, first.To)
	var names []string
	for _, pointer := range at {
		names = append(names, pointer.Name)
	}
	if diff := cmp.Diff([]string{"latest", "production"}, names); diff != "" || err != nil {
		t.Error(diff, err)
	}
}

// TestForesee says before a move what becomes of it.
func TestForesee(t *testing.T) {
	for name, tt := range order {
		if tt.line {
			continue
		}
		t.Run(name, func(t *testing.T) {
			reg := New(memstore.New())
			for i, r := range tt.runs {
				req := r.request(latest, tt.known)
				req.Stored = Stored{}
				foreseen, known := reg.Foresee(req, reg.ReadEarly(t.Context(), latest.Key(image)))
				result, err := reg.Move(t.Context(), req, nil)
				if err != nil || !known || foreseen != result.Outcome {
					t.Fatalf("run %d: foresaw %v (%t), got %v, %v", i, foreseen, known, result.Outcome, err)
				}
			}
		})
	}
	if _, known := New(memstore.New()).Foresee(Request{Name: latest}, nil); known {
		t.Error("nothing was read")
	}
}
