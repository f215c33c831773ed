// SPDX-License-Identifier: MPL-2.0

package registry

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/packer-chain/packer-plugin-chain/internal/manifest"
	"github.com/packer-chain/packer-plugin-chain/internal/manifest/manifesttest"
	"github.com/packer-chain/packer-plugin-chain/internal/store"
	"github.com/packer-chain/packer-plugin-chain/internal/store/storetest/memstore"
	"github.com/packer-chain/packer-plugin-chain/internal/text"
)

const (
	image = "snowflake"
	fp1   = "5f70bf18a086007016e948b04aed3b82103a36bea41755b6cddfaf10ace3c6ef"
	fp2   = "0000bf18a086007016e948b04aed3b82103a36bea41755b6cddfaf10ace3c6ef"
)

func facts(fingerprint string) manifest.Facts {
	return manifest.Facts{Image: image, Fingerprint: fingerprint}
}

func entry(run, name string) manifest.Entry {
	return manifest.Entry{
		Name: name, BuilderType: "amazon-ebs", PackerRunUUID: run, ArtifactID: "eu-west-1:ami-" + run,
		Images: []manifest.Image{
			{Provider: "aws", Region: "eu-west-1", ID: "ami-" + text.SHA256(run)[:17]},
		},
	}
}

func TestPublish_manySources(t *testing.T) {
	reg := New(memstore.New())
	var all sync.WaitGroup
	for i := range 16 {
		all.Go(func() {
			if _, err := reg.Publish(t.Context(), facts(fp1), []manifest.Entry{entry("run", fmt.Sprintf("source%d", i))}, nil); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	stored, err := reg.Manifest(t.Context(), image, fp1)
	if err != nil {
		t.Fatal(err)
	}
	if got := len(stored.Manifest.Current()); got != 16 || stored.Manifest.Chain.Seq != 16 {
		t.Errorf("got %d entries and seq %d, want 16 of each", got, stored.Manifest.Chain.Seq)
	}
}

func TestPublish_isIdempotent(t *testing.T) {
	reg := New(memstore.New())
	first, err := reg.Publish(t.Context(), facts(fp1), []manifest.Entry{entry("run", "app")}, nil)
	if err != nil {
		t.Fatal(err)
	}
	again, err := reg.Publish(t.Context(), facts(fp1), []manifest.Entry{entry("run", "app")}, nil)
	if err != nil || again.SHA256 != first.SHA256 {
		t.Errorf("the same entries were written again: %v", err)
	}
}

func TestPublish_neverOverwritesWhatIsNotOurs(t *testing.T) {
	for name, body := range map[string]string{
		"damaged":             `{"builds":[`,
		"another image":       strings.ReplaceAll(published(t, fp1), image, "other"),
		"another fingerprint": published(t, fp2),
		"newer schema":        strings.Replace(published(t, fp1), `"schema": 1`, `"schema": 9`, 1),
	} {
		t.Run(name, func(t *testing.T) {
			s := memstore.New()
			if _, err := s.Put(t.Context(), BuildKey(image, fp1), []byte(body), ""); err != nil {
				t.Fatal(err)
			}
			_, err := New(s).Publish(t.Context(), facts(fp1), []manifest.Entry{entry("run", "app")}, nil)
			if err == nil || !strings.Contains(err.Error(), fp1+".json: ") {
				t.Errorf("the error must name the document: %v", err)
			}
			after, err := s.Get(t.Context(), BuildKey(image, fp1))
			if err != nil || string(after.Body) != body {
				t.Errorf("it was overwritten: %v\n%s", err, after.Body)
			}
		})
	}
}

func published(t *testing.T, fingerprint string) string {
	t.Helper()
	stored, err := New(memstore.New()).Publish(t.Context(), facts(fingerprint), []manifest.Entry{entry("run", "app")}, nil)
	if err != nil {
		t.Fatal(err)
	}
	return string(stored.Body)
}

func TestMove(t *testing.T) {
	newer, older := time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC), time.Date(2026, 2, 1, 0, 0, 0, 0, time.UTC)
	tests := map[string]struct {
		rule Rule
		to   Target
		want Moved
		on   string
	}{
		"a newer commit moves a channel":        {NotBack, Target{Fingerprint: fp2, Commit: "c2", CommitTime: newer.Add(1)}, Moved{Written: true}, fp2},
		"the same commit moves a channel":       {NotBack, Target{Fingerprint: fp2, Commit: "c1", CommitTime: newer}, Moved{Written: true}, fp2},
		"an older commit does not":              {NotBack, Target{Fingerprint: fp2, Commit: "c0", CommitTime: older}, Moved{Kept: true}, fp1},
		"an older commit moves a git ref":       {Always, Target{Fingerprint: fp2, Commit: "c0", CommitTime: older}, Moved{Written: true}, fp2},
		"nothing new is not written":            {NotBack, Target{Fingerprint: fp1, Commit: "c1", CommitTime: newer}, Moved{}, fp1},
		"a newer commit of the same is written": {NotBack, Target{Fingerprint: fp1, Commit: "c3", CommitTime: newer.Add(1)}, Moved{Written: true}, fp1},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			reg := New(memstore.New())
			if _, err := reg.Move(t.Context(), image, "latest", Target{Fingerprint: fp1, Commit: "c1", CommitTime: newer}, NotBack, "ci", nil); err != nil {
				t.Fatal(err)
			}
			got, err := reg.Move(t.Context(), image, "latest", tt.to, tt.rule, "ci", nil)
			if err != nil || got.Written != tt.want.Written || got.Kept != tt.want.Kept {
				t.Errorf("got %+v %v, want %+v", got, err, tt.want)
			}
			ref, err := reg.Ref(t.Context(), image, "latest")
			if err != nil || ref.Fingerprint != tt.on {
				t.Errorf("on %+v %v, want %s", ref, err, tt.on)
			}
		})
	}
}

// Two runs of one commit bake the same fingerprint, and the one that published first moves the ref last.
// Cause: the ref went back to the older manifest and its AMI.
func TestMove_olderManifest(t *testing.T) {
	s := memstore.New()
	reg := New(s)
	publish := func(run string) Stored {
		t.Helper()
		stored, err := reg.Publish(t.Context(), facts(fp1), []manifest.Entry{entry(run, "app")}, nil)
		if err != nil {
			t.Fatal(err)
		}
		return stored
	}
	move := func(stored Stored, minute int) *Ref {
		t.Helper()
		at := time.Date(2026, 3, 1, 0, minute, 0, 0, time.UTC)
		to := Target{Fingerprint: fp1, Commit: fmt.Sprint("c", minute), CommitTime: at}.Of(stored)
		if _, err := reg.Move(t.Context(), image, "latest", to, NotBack, "ci", nil); err != nil {
			t.Fatal(err)
		}
		ref, err := reg.Ref(t.Context(), image, "latest")
		if err != nil {
			t.Fatal(err)
		}
		return ref
	}
	same := func(ref *Ref, stored Stored) bool {
		return ref.ManifestSHA256 == stored.SHA256 && maps.Equal(ref.AMIs, stored.Manifest.Chain.AMIs)
	}
	first, second := publish("run1"), publish("run2")
	move(second, 1)
	if ref := move(first, 1); !same(ref, second) || ref.Seq != 1 {
		t.Errorf("the same commit: %+v", ref)
	}
	if ref := move(first, 2); !same(ref, second) || ref.Commit != "c2" {
		t.Errorf("a newer commit: %+v", ref)
	}
	// Somebody put the older manifest back: a ref that stays ahead of it would be corrupt for ever.
	object, err := s.Get(t.Context(), BuildKey(image, fp1))
	if err == nil {
		_, err = s.Put(t.Context(), BuildKey(image, fp1), first.Body, object.ETag)
	}
	if ref := move(first, 2); err != nil || !same(ref, first) {
		t.Errorf("the manifest was put back, and the ref says %+v, %v", ref, err)
	}
}

// Commits of bots and merges have the same second. Cause: a new run of the parent commit took the channel
// back from its child.
func TestMove_sameSecond(t *testing.T) {
	at := time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)
	for name, tt := range map[string]struct {
		before []string
		commit string
		want   string
	}{
		"a commit that is new":             {[]string{"parent"}, "child", "child"},
		"one that it went on from":         {[]string{"parent", "child"}, "parent", "child"},
		"the one that it is on":            {[]string{"parent", "child"}, "child", "child"},
		"one that is not known any longer": {append([]string{"parent"}, many(maxMoves)...), "parent", "parent"},
	} {
		t.Run(name, func(t *testing.T) {
			reg := New(memstore.New())
			move := func(commit string) Moved {
				t.Helper()
				to := Target{Fingerprint: text.SHA256(commit), Commit: commit, CommitTime: at}
				moved, err := reg.Move(t.Context(), image, "latest", to, NotBack, "ci", nil)
				if err != nil {
					t.Fatal(err)
				}
				return moved
			}
			for _, commit := range tt.before {
				move(commit)
			}
			moved := move(tt.commit)
			ref, err := reg.Ref(t.Context(), image, "latest")
			if err != nil || ref.Commit != tt.want || moved.Kept != (tt.want != tt.commit) {
				t.Errorf("on %+v %v, and says %+v; want %s", ref, err, moved, tt.want)
			}
		})
	}
}

// many are commits that nobody else has.
func many(n int) []string {
	var commits []string
	for i := range n {
		commits = append(commits, fmt.Sprint("commit", i))
	}
	return commits
}

func TestMove_history(t *testing.T) {
	reg := New(memstore.New())
	for i := range maxMoves + 5 {
		to := Target{Fingerprint: fmt.Sprintf("%064d", i)}
		if _, err := reg.Move(t.Context(), image, "latest", to, NotBack, "ci", nil); err != nil {
			t.Fatal(err)
		}
	}
	ref, err := reg.Ref(t.Context(), image, "latest")
	if err != nil {
		t.Fatal(err)
	}
	if len(ref.Moves) != maxMoves || ref.Seq != maxMoves+5 || ref.Moves[0].Fingerprint != ref.Fingerprint {
		t.Errorf("got %d moves, seq %d", len(ref.Moves), ref.Seq)
	}
}

// A field of a move that a newer plugin put there got lost with the next move. Moves that say nothing
// to this version are kept as well.
func TestMove_keepsUnknownFields(t *testing.T) {
	body := manifesttest.Ref(image, "latest", fp1, `"moves": []`,
		`"moves": [{"write_id": "w1", "approved_by": "kept 1"}, {"rollback": "kept 3"}], "lock": "kept 2"`)
	_, reg := planted(t, RefKey(image, "latest"), body)
	if _, err := reg.Move(t.Context(), image, "latest", Target{Fingerprint: fp2}, Always, "ci", nil); err != nil {
		t.Fatal(err)
	}
	after, err := reg.store.Get(t.Context(), RefKey(image, "latest"))
	for _, kept := range []string{"kept 1", "kept 2", "kept 3"} {
		if text := string(after.Body); err != nil || !strings.Contains(text, kept) {
			t.Errorf("%v: no %q in\n%s", err, kept, text)
		}
	}
}

// Whoever reads a ref between a merge and the move of the ref sees a manifest newer than the ref says.
func TestFollow(t *testing.T) {
	s := memstore.New()
	reg := New(s)
	stored, err := reg.Publish(t.Context(), facts(fp1), []manifest.Entry{entry("run1", "app")}, nil)
	if err != nil {
		t.Fatal(err)
	}
	ref := &Ref{Image: image, Name: "latest", Target: Target{
		Fingerprint: fp1, ManifestSeq: 1, ManifestSHA256: stored.SHA256}}
	if got, err := reg.Follow(t.Context(), ref); err != nil || got.SHA256 != stored.SHA256 {
		t.Errorf("got %v", err)
	}
	tampered := *ref
	tampered.ManifestSHA256 = strings.Repeat("0", 64)
	if _, err := reg.Follow(t.Context(), &tampered); !errors.Is(err, manifest.ErrCorrupt) {
		t.Errorf("another manifest with the same seq was believed: %v", err)
	}
	if _, err := reg.Publish(t.Context(), facts(fp1), []manifest.Entry{entry("run2", "app")}, nil); err != nil {
		t.Fatal(err)
	}
	if got, err := reg.Follow(t.Context(), ref); err != nil || got.Manifest.Chain.Seq != 2 {
		t.Errorf("a newer manifest must be taken: %v", err)
	}
	old := *ref
	old.ManifestSeq = 9
	if _, err := reg.Follow(t.Context(), &old); !errors.Is(err, manifest.ErrCorrupt) {
		t.Errorf("a manifest that went back was believed: %v", err)
	}
	dangling := *ref
	dangling.Fingerprint = fp2
	if _, err := reg.Follow(t.Context(), &dangling); !errors.Is(err, manifest.ErrCorrupt) {
		t.Errorf("got %v", err)
	}
}

// TestFollow_manifestDeleted has something delete a manifest that a ref points at, such as a lifecycle rule. Publishing
// the image again makes all well.
func TestFollow_manifestDeleted(t *testing.T) {
	s := memstore.New()
	reg := New(s)
	publish := func(run string) *Ref {
		stored, err := reg.Publish(t.Context(), facts(fp1), []manifest.Entry{entry(run, "app")}, nil)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := reg.Move(t.Context(), image, "latest", Target{Fingerprint: fp1}.Of(stored), NotBack, "test", nil); err != nil {
			t.Fatal(err)
		}
		ref, err := reg.Ref(t.Context(), image, "latest")
		if err != nil {
			t.Fatal(err)
		}
		return ref
	}
	ref := publish("run1")
	s.Delete(image + "/builds/" + fp1 + ".json")
	if _, err := reg.Follow(t.Context(), ref); !errors.Is(err, manifest.ErrCorrupt) || !strings.Contains(err.Error(), "ref latest points at it, but it does not exist") {
		t.Errorf("got %v", err)
	}
	if stored, err := reg.Follow(t.Context(), publish("run2")); err != nil || stored.Manifest.Builds[0].PackerRunUUID != "run2" {
		t.Errorf("after the next publication: %v", err)
	}
}

// lossy loses the answer to every first write of a key, after it landed.
type lossy struct {
	store.Store
	mu   sync.Mutex
	lost map[string]bool
}

func (l *lossy) Put(ctx context.Context, key string, body []byte, etag string) (string, error) {
	tag, err := l.Store.Put(ctx, key, body, etag)
	l.mu.Lock()
	defer l.mu.Unlock()
	if err == nil && !l.lost[key] {
		l.lost[key] = true
		return "", fmt.Errorf("write %s: connection reset: %w", key, store.ErrUnknown)
	}
	return tag, err
}

func TestLostAnswers(t *testing.T) {
	reg := New(&lossy{Store: memstore.New(), lost: map[string]bool{}})
	stored, err := reg.Publish(t.Context(), facts(fp1), []manifest.Entry{entry("run1", "app")}, nil)
	if err != nil || len(stored.Manifest.Builds) != 1 || stored.Manifest.Chain.Seq != 1 {
		t.Errorf("got %+v %v, want one entry, written once", stored.Manifest, err)
	}
	moved, err := reg.Move(t.Context(), image, "latest", Target{Fingerprint: fp1}, NotBack, "ci", nil)
	if err != nil || !moved.Written {
		t.Errorf("got %+v %v", moved, err)
	}
	ref, err := reg.Ref(t.Context(), image, "latest")
	if err != nil || ref.Seq != 1 || len(ref.Moves) != 1 {
		t.Errorf("got %+v %v, want one move", ref, err)
	}
}
