// SPDX-License-Identifier: MPL-2.0

package registry

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
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
	of := facts(fp1)
	for i := range 16 {
		of.Sources = append(of.Sources, fmt.Sprintf("amazon-ebs.source%d", i))
	}
	var all sync.WaitGroup
	for i := range 16 {
		all.Go(func() {
			if _, err := reg.Publish(t.Context(), of, []manifest.Entry{entry("run", fmt.Sprintf("source%d", i))}, nil); err != nil {
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

// Without a list of sources, nobody could tell when an image of several is complete, and of two artifacts
// of one source, one would be lost.
func TestPublish_conflict(t *testing.T) {
	for name, tt := range map[string]struct {
		entry manifest.Entry
		want  string
	}{
		"another source": {entry("run2", "other"), "publishes into the image of source amazon-ebs.app"},
		"two artifacts": {func() manifest.Entry {
			e := entry("run1", "app")
			e.ArtifactID = "eu-west-1:ami-0f"
			return e
		}(), "has made two artifacts in one run"},
	} {
		t.Run(name, func(t *testing.T) {
			reg := New(memstore.New())
			publish(t, reg, fp1, "run1")
			_, err := reg.Publish(t.Context(), facts(fp1), []manifest.Entry{tt.entry}, nil)
			var conflict *ConflictError
			if !errors.As(err, &conflict) || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got %v", err)
			}
			if stored, err := reg.Manifest(t.Context(), image, fp1); err != nil || stored.Manifest.Chain.Seq != 1 {
				t.Errorf("it was written: %v", err)
			}
		})
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

// latest is the channel that tests move.
var latest = Name{Channel, "latest"}

// publish adds a run to the build of a fingerprint.
func publish(t *testing.T, reg *Registry, fingerprint, run string) Stored {
	t.Helper()
	stored, err := reg.Publish(t.Context(), facts(fingerprint), []manifest.Entry{entry(run, "app")}, nil)
	if err != nil {
		t.Fatal(err)
	}
	return stored
}

// request is one to move to the current entries of a manifest, of a commit that was made and decided
// at a minute.
func request(name Name, stored Stored, commit string, at int) Request {
	to := TargetOf(stored.Manifest.Chain.Fingerprint, stored.Manifest.Current())
	to.Position = Position{Commit: sha(commit), CommitTime: minute(at), DecidedAt: minute(at)}
	return Request{Image: image, Name: name, To: to, Stored: stored, Change: manifest.Change{By: "ci"}}
}

// move moves a pointer, and returns it as it is then.
func move(t *testing.T, reg *Registry, req Request) (Result, *Pointer) {
	t.Helper()
	result, err := reg.Move(t.Context(), req, nil)
	if err != nil {
		t.Fatal(err)
	}
	pointer, err := reg.Pointer(t.Context(), req.Image, req.Name)
	if err != nil {
		t.Fatal(err)
	}
	return result, pointer
}

func TestMove(t *testing.T) {
	line := Name{Line, "main"}
	for name, tt := range map[string]struct {
		name        Name
		fingerprint string
		commit      string
		at          int
		want        Outcome
		seq         int64
	}{
		"a newer commit moves a channel":        {latest, fp2, "c2", 10, Moved, 2},
		"the same commit moves a channel":       {latest, fp2, "c1", 9, Moved, 2},
		"an older commit does not":              {latest, fp2, "c0", 2, Older, 1},
		"an older commit moves a line":          {line, fp2, "c0", 2, Moved, 2},
		"nothing new is not written":            {latest, fp1, "c1", 9, There, 1},
		"a newer commit of the same is written": {latest, fp1, "c3", 10, There, 2},
	} {
		t.Run(name, func(t *testing.T) {
			reg := New(memstore.New())
			first, pointer := move(t, reg, request(tt.name, publish(t, reg, fp1, "run1"), "c1", 5))
			if first.Outcome != Created || first.Seq != 1 || pointer.Seq != 1 || pointer.ID() != tt.name {
				t.Fatalf("got %+v, %+v", first, pointer)
			}
			req := request(tt.name, publish(t, reg, tt.fingerprint, "run1"), tt.commit, tt.at)
			if tt.commit == "c1" {
				req.To.CommitTime = minute(5)
			}
			got, after := move(t, reg, req)
			if got.Outcome != tt.want || got.Seq != tt.seq || after.Seq != tt.seq {
				t.Errorf("got %+v, seq %d", got, after.Seq)
			}
			if (after.WriteID == pointer.WriteID) != (after.Seq == pointer.Seq) {
				t.Errorf("write %d has the id of write %d", after.Seq, pointer.Seq)
			}
			if got.Before == nil || got.Before.Fingerprint != fp1 {
				t.Errorf("it was on %+v", got.Before)
			}
			want := tt.fingerprint
			if tt.want == Older {
				want = fp1
			}
			if after.Fingerprint != want || !maps.Equal(after.AMIs, publish(t, reg, want, "run1").Manifest.Chain.AMIs) {
				t.Errorf("on %+v", after)
			}
			if by := after.Moves[0]; by.By != "ci" || by.At.IsZero() {
				t.Errorf("who and when is not known: %+v", by)
			}
		})
	}
}

// Two runs of one commit bake the same fingerprint, and the one that decided first publishes last, or the
// other way round. Cause: the pointer went back to the older manifest and its AMI.
func TestMove_olderManifest(t *testing.T) {
	s := memstore.New()
	reg := New(s)
	first, second := publish(t, reg, fp1, "run1"), publish(t, reg, fp1, "run2")
	knows := func(p *Pointer, stored Stored) bool {
		return p.ManifestSeq == stored.Manifest.Chain.Seq && p.ManifestSHA256 == stored.SHA256
	}
	pins := func(p *Pointer, stored Stored) bool { return maps.Equal(p.AMIs, stored.Manifest.Chain.AMIs) }
	slow := request(latest, first, "c", 1)
	fast := request(latest, second, "c", 2)
	slow.To.CommitTime, fast.To.CommitTime = minute(1), minute(1)
	move(t, reg, fast)
	if got, p := move(t, reg, slow); got.Outcome != Older || !pins(p, second) || !knows(p, second) {
		t.Errorf("the same commit: %+v, %+v", got, p)
	}
	if _, p := move(t, reg, request(latest, first, "c3", 3)); !pins(p, first) || !knows(p, second) {
		t.Errorf("a newer commit: %+v", p)
	}
	// Somebody put the older manifest back: a pointer that stays ahead of it would be corrupt for ever.
	object, err := s.Get(t.Context(), BuildKey(image, fp1))
	if err == nil {
		_, err = s.Put(t.Context(), BuildKey(image, fp1), first.Body, object.ETag)
	}
	if err != nil {
		t.Fatal(err)
	}
	_, p := move(t, reg, request(latest, first, "c4", 4))
	if _, err := reg.Follow(t.Context(), p, p.Moves[0]); err != nil || !knows(p, first) {
		t.Errorf("the manifest was put back, and the pointer says %+v, %v", p, err)
	}
}

// An image that is built again moves no pointer that nobody moved: a reader gets the AMIs that it got
// before.
func TestMove_pinsAMIs(t *testing.T) {
	reg := New(memstore.New())
	stable := Name{Channel, "production"}
	first := publish(t, reg, fp1, "run1")
	for _, name := range []Name{latest, stable} {
		move(t, reg, request(name, first, "c1", 1))
	}
	_, p := move(t, reg, request(latest, publish(t, reg, fp1, "run2"), "c2", 2))
	if maps.Equal(p.AMIs, first.Manifest.Chain.AMIs) {
		t.Errorf("the channel did not move: %+v", p)
	}
	p, err := reg.Pointer(t.Context(), image, stable)
	if err != nil {
		t.Fatal(err)
	}
	stored, err := reg.Follow(t.Context(), p, p.Moves[0])
	if err != nil {
		t.Fatal(err)
	}
	pinned, complete := p.Current().Entries(stored.Manifest)
	if !complete || len(pinned) != 1 || pinned[0].PackerRunUUID != "run1" || !maps.Equal(p.AMIs, first.Manifest.Chain.AMIs) {
		t.Errorf("production is on %+v, of which the manifest has %+v", p.AMIs, pinned)
	}
}

// Many runs end at once. The newest commit wins, whichever comes last.
func TestMove_concurrent(t *testing.T) {
	reg := New(memstore.New())
	stored := map[int]Stored{}
	for i := range 12 {
		stored[i] = publish(t, reg, text.SHA256(fmt.Sprint(i)), "run")
	}
	var all sync.WaitGroup
	for i := range 12 {
		all.Go(func() {
			if _, err := reg.Move(t.Context(), request(latest, stored[i], fmt.Sprint("c", i), i), nil); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	p, err := reg.Pointer(t.Context(), image, latest)
	if err != nil || p.Fingerprint != text.SHA256("11") || p.Seq != int64(len(p.Moves)) {
		t.Errorf("on %+v, %v", p, err)
	}
}

func TestMove_refusesWhatIsNoTarget(t *testing.T) {
	s := memstore.New()
	reg := New(s)
	good := request(latest, publish(t, reg, fp1, "run1"), "c1", 1)
	for name, change := range map[string]func(to *Target){
		"no builds":      func(to *Target) { to.Builds = nil },
		"no fingerprint": func(to *Target) { to.Fingerprint = "" },
		"no git commit":  func(to *Target) { to.Commit = "main" },
		"no AMI":         func(to *Target) { to.Builds = []Build{{Source: "x", AMIs: map[string]string{"eu-west-1": "$(x)"}}} },
	} {
		t.Run(name, func(t *testing.T) {
			req := good
			change(&req.To)
			_, err := reg.Move(t.Context(), req, nil)
			if err == nil || !strings.HasPrefix(err.Error(), "write memory://snowflake/channels/latest.json: ") {
				t.Errorf("got %v", err)
			}
			if _, err := s.Get(t.Context(), latest.Key(image)); !errors.Is(err, store.ErrNotFound) {
				t.Errorf("it is written: %v", err)
			}
		})
	}
}

func TestMove_history(t *testing.T) {
	reg := New(memstore.New())
	for i := range maxMoves + 5 {
		req := run{commit: fmt.Sprint(i), decided: i, image: fmt.Sprint(i)}.request(latest, nil)
		if _, err := reg.Move(t.Context(), req, nil); err != nil {
			t.Fatal(err)
		}
	}
	p, err := reg.Pointer(t.Context(), image, latest)
	if err != nil {
		t.Fatal(err)
	}
	if len(p.Moves) != maxMoves || p.Seq != maxMoves+5 || p.Moves[0].Fingerprint != p.Fingerprint {
		t.Errorf("got %d moves, seq %d", len(p.Moves), p.Seq)
	}
	if p.Moves[maxMoves-1].Commit != sha("5") {
		t.Errorf("the oldest move is of %s", p.Moves[maxMoves-1].Commit)
	}
}

// A field of a move that a newer plugin put there got lost with the next move.
func TestMove_keepsUnknownFields(t *testing.T) {
	body := manifesttest.Pointer(image, "latest", fp1, `"by": "anna"`, `"approved_by": "kept 1"`,
		`"manifest_seq": 1`, `"manifest_seq": 1, "lock": "kept 2"`)
	_, reg := planted(t, latest.Key(image), body)
	req := run{commit: "b", decided: 100, image: "B"}.request(latest, nil)
	for _, allow := range []bool{false, true} {
		req.AllowRollback = allow
		if got, _ := move(t, reg, req); got.Outcome != Moved {
			t.Fatalf("got %+v", got)
		}
		req = run{commit: "a", decided: 1, image: "A"}.request(latest, nil)
	}
	after, err := reg.store.Get(t.Context(), latest.Key(image))
	for _, kept := range []string{"kept 1", "kept 2"} {
		if text := string(after.Body); err != nil || !strings.Contains(text, kept) {
			t.Errorf("%v: no %q in\n%s", err, kept, text)
		}
	}
}

// Whoever reads a pointer between a merge and the move of the pointer sees a manifest newer than the
// pointer says.
func TestFollow(t *testing.T) {
	reg := New(memstore.New())
	stored := publish(t, reg, fp1, "run1")
	_, p := move(t, reg, request(latest, stored, "c1", 1))
	if got, err := reg.Follow(t.Context(), p, p.Moves[0]); err != nil || got.SHA256 != stored.SHA256 {
		t.Errorf("got %v", err)
	}
	tampered := *p
	tampered.ManifestSHA256 = strings.Repeat("0", 64)
	if _, err := reg.Follow(t.Context(), &tampered, p.Moves[0]); !errors.Is(err, manifest.ErrCorrupt) {
		t.Errorf("another manifest with the same seq was believed: %v", err)
	}
	publish(t, reg, fp1, "run2")
	if got, err := reg.Follow(t.Context(), p, p.Moves[0]); err != nil || got.Manifest.Chain.Seq != 2 {
		t.Errorf("a newer manifest must be taken: %v", err)
	}
	old := *p
	old.ManifestSeq = 9
	if _, err := reg.Follow(t.Context(), &old, p.Moves[0]); !errors.Is(err, manifest.ErrCorrupt) {
		t.Errorf("a manifest that went back was believed: %v", err)
	}
	dangling := p.Moves[0]
	dangling.Fingerprint = fp2
	if _, err := reg.Follow(t.Context(), p, dangling); !errors.Is(err, manifest.ErrCorrupt) {
		t.Errorf("got %v", err)
	}
	// The seq and the hash are those of the newest move's manifest, and say nothing of another one.
	publish(t, reg, fp2, "run1")
	if _, err := reg.Follow(t.Context(), &old, dangling); err != nil {
		t.Errorf("an older move: %v", err)
	}
	for name, change := range map[string]func(*Build){
		"AMI":    func(b *Build) { b.AMIs = map[string]string{"eu-west-1": manifesttest.ForeignAMI} },
		"region": func(b *Build) { b.AMIs = map[string]string{"us-east-1": b.AMIs["eu-west-1"]} },
		"run":    func(b *Build) { b.Run = "run3" },
		"source": func(b *Build) { b.Source = "amazon-ebs.other" },
	} {
		foreign := p.Moves[0]
		foreign.Builds = slices.Clone(foreign.Builds)
		change(&foreign.Builds[0])
		want := "it does not have the builds that channel latest points at"
		_, err := reg.Follow(t.Context(), p, foreign)
		if !errors.Is(err, manifest.ErrCorrupt) || !strings.HasSuffix(err.Error(), want) {
			t.Errorf("another %s than the manifest has was believed: %v", name, err)
		}
	}
}

// TestFollow_manifestDeleted has something delete a manifest that a pointer points at, such as a lifecycle rule.
// Publishing the image again makes all well.
func TestFollow_manifestDeleted(t *testing.T) {
	s := memstore.New()
	reg := New(s)
	_, p := move(t, reg, request(latest, publish(t, reg, fp1, "run1"), "c1", 1))
	s.Delete(BuildKey(image, fp1))
	_, err := reg.Follow(t.Context(), p, p.Moves[0])
	if !errors.Is(err, manifest.ErrCorrupt) || !strings.Contains(err.Error(), "channel latest points at it, but it does not exist") {
		t.Errorf("got %v", err)
	}
	_, p = move(t, reg, request(latest, publish(t, reg, fp1, "run2"), "c1", 2))
	if stored, err := reg.Follow(t.Context(), p, p.Moves[0]); err != nil || stored.Manifest.Builds[0].PackerRunUUID != "run2" {
		t.Errorf("after the next publication: %v", err)
	}
}

func TestPointers(t *testing.T) {
	s := memstore.New()
	reg := New(s)
	line, none := Name{Line, "pr-42"}, Name{Channel, "none"}
	stored := publish(t, reg, fp1, "run1")
	move(t, reg, request(latest, stored, "c1", 1))
	move(t, reg, request(line, stored, "c2", 2))
	got, err := reg.Pointers(t.Context(), image, latest, line, none)
	if err != nil {
		t.Fatal(err)
	}
	if got[none] != nil || got[latest].ID() != latest || got[line].Current().Commit != sha("c2") {
		t.Errorf("got %+v", got)
	}
	// A line is none of another kind with the same name.
	if _, err := reg.Pointer(t.Context(), image, Name{Channel, "pr-42"}); !errors.Is(err, ErrNotFound) {
		t.Errorf("got %v", err)
	}
	if _, err := s.Put(t.Context(), none.Key(image), []byte("{}"), ""); err != nil {
		t.Fatal(err)
	}
	if _, err := reg.Pointers(t.Context(), image, latest, line, none); !errors.Is(err, manifest.ErrCorrupt) {
		t.Errorf("a damaged one counts as none: %v", err)
	}
}

// distant is a store whose clock is another.
type distant struct{ store.Store }

func (distant) Now() time.Time {
	return minute(7).Add(999 * time.Millisecond).In(time.FixedZone("", 3600))
}

func TestNow_isTheStores(t *testing.T) {
	reg := New(distant{memstore.New()})
	if got := reg.Now(); got != minute(7) {
		t.Errorf("got %s", got)
	}
	_, p := move(t, reg, request(latest, publish(t, reg, fp1, "run1"), "c1", 1))
	if p.Moves[0].At != minute(7) {
		t.Errorf("moved at %s", p.Moves[0].At)
	}
	if got := time.Since(New(memstore.New()).Now()); got < 0 || got > time.Minute {
		t.Errorf("a store without a clock is %s behind", got)
	}
}

// lossy loses the answer to every first write of a key, after it landed.
type lossy struct {
	store.Store
	mu   sync.Mutex
	lost map[string]bool
	// then, if set, happens after the first loss.
	then func()
}

func (l *lossy) Put(ctx context.Context, key string, body []byte, etag string) (string, error) {
	tag, err := l.Store.Put(ctx, key, body, etag)
	l.mu.Lock()
	defer l.mu.Unlock()
	if err == nil && !l.lost[key] {
		l.lost[key] = true
		if l.then != nil {
			l.then()
		}
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
	moved, p := move(t, reg, request(latest, stored, "c1", 1))
	if moved.Outcome != Created || moved.Seq != 1 || p.Seq != 1 || len(p.Moves) != 1 {
		t.Errorf("got %+v, %+v, want one move", moved, p)
	}
}

// A write whose answer is lost reports what it did, also if another run has moved the pointer since.
func TestLostAnswers_laterMoves(t *testing.T) {
	for name, tt := range map[string]struct {
		commit  string
		at      int
		fp      string
		want    Outcome
		between bool
		seq     int64
	}{
		"a move":                      {"c2", 2, fp2, Moved, false, 2},
		"a move, and another since":   {"c2", 2, fp2, Moved, true, 3},
		"a renewal":                   {"c2", 2, fp1, There, false, 2},
		"a renewal, and a move since": {"c2", 2, fp1, Older, true, 3},
	} {
		t.Run(name, func(t *testing.T) {
			mem := memstore.New()
			calm := New(mem)
			move(t, calm, request(latest, publish(t, calm, fp1, "run1"), "c1", 1))
			req := request(latest, publish(t, calm, tt.fp, "run1"), tt.commit, tt.at)
			later := request(latest, publish(t, calm, text.SHA256("3"), "run1"), "c3", 3)
			s := &lossy{Store: mem, lost: map[string]bool{}}
			if tt.between {
				s.then = func() { move(t, calm, later) }
			}
			got, p := move(t, New(s), req)
			if got.Outcome != tt.want || p.Seq != tt.seq {
				t.Errorf("got %+v, and seq %d", got, p.Seq)
			}
			if tt.want != Older && (got.Before.Seq != 1 || got.Seq != 2) {
				t.Errorf("it went from %d to %d", got.Before.Seq, got.Seq)
			}
		})
	}
}
