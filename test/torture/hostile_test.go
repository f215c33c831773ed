// SPDX-License-Identifier: MPL-2.0

package torture

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/packer-chain/packer-plugin-chain/internal/manifest"
	"github.com/packer-chain/packer-plugin-chain/internal/manifest/manifesttest"
	"github.com/packer-chain/packer-plugin-chain/internal/registry"
	"github.com/packer-chain/packer-plugin-chain/internal/store/storetest/memstore"
	"github.com/packer-chain/packer-plugin-chain/internal/text"
)

const (
	hostileImage = "app"
	hostileBuild = "app/builds/" + hostilePrint + ".json"
	hostilePrint = "5f70bf18a086007016e948b04aed3b82103a36bea41755b6cddfaf10ace3c6ef"
)

// trial writes where body lies, and returns what went wrong. If refuse is set, body must stay as it
// is.
type trial func(ctx context.Context, body []byte, refuse bool) error

// TestHostile publishes, and moves pointers, where other documents lie than ours: those of package
// manifesttest, and ours with bytes changed by chance. What is not ours must stay as it is; what
// still is must be read with one build more. Lost counts what was overwritten or became unreadable,
// and panics.
func TestHostile(t *testing.T) {
	ctx, n := begin(t)
	n.note = "documents replaced by others; see also the tests TestHostile of each component"
	try := func(on trial, name string, body []byte, refuse bool) {
		n.tried++
		if err := on(ctx, body, refuse); err != nil {
			n.lost++
			t.Errorf("%s: %v: %.300q", name, err, body)
		}
	}
	good := goodDocument(ctx, t)
	channel, branch := goodPointer(ctx, t, forward), goodPointer(ctx, t, mainLine)
	for _, doc := range manifesttest.Manifests(good, hostileImage, hostilePrint) {
		if len(doc.Body) <= manifest.MaxSize {
			try(tryDocument, doc.Name, doc.Body, true)
		}
	}
	for _, doc := range manifesttest.Pointers(hostileImage, forward.Name, hostilePrint) {
		if len(doc.Body) <= manifest.MaxSize {
			try(tryMove(forward), "channel, "+doc.Name, doc.Body, true)
		}
	}
	chance := random(t)
	for i := range figure(3_000, 150_000) {
		if ctx.Err() != nil || n.lost > 10 {
			break
		}
		name := fmt.Sprintf("mutation %d", i)
		switch i % 4 {
		case 0, 2:
			try(tryDocument, name, mutate(chance, good), false)
		case 1:
			try(tryMove(forward), "channel, "+name, mutate(chance, channel), false)
		case 3:
			try(tryMove(mainLine), "line, "+name, mutate(chance, branch), false)
		}
	}
}

func hostileEntry(run string) manifest.Entry {
	return manifest.Entry{Name: "image", BuilderType: "file", PackerRunUUID: run, ArtifactID: "File",
		Images: []manifest.Image{{Provider: "docker", ID: "sha256:" + hostilePrint}}}
}

func goodDocument(ctx context.Context, t *testing.T) []byte {
	t.Helper()
	entries := []manifest.Entry{hostileEntry("run1")}
	facts := manifest.Facts{
		Image: hostileImage, Fingerprint: hostilePrint, Sources: []string{"file.image"},
	}
	stored, err := registry.New(memstore.New()).Publish(ctx, facts, entries, nil)
	if err != nil {
		t.Fatal(err)
	}
	return stored.Body
}

// tryDocument publishes at an address where body lies.
func tryDocument(ctx context.Context, body []byte, refuse bool) (err error) {
	defer recovered(&err)
	mem := memstore.New()
	if _, err := mem.Put(ctx, hostileBuild, body, ""); err != nil {
		return err
	}
	facts := manifest.Facts{Image: hostileImage, Fingerprint: hostilePrint}
	entries := []manifest.Entry{hostileEntry("run2")}
	stored, publishErr := registry.New(mem).Publish(ctx, facts, entries, nil)
	after, err := mem.Get(ctx, hostileBuild)
	switch before, parseErr := manifest.Read(body, hostileImage, hostilePrint); {
	case err != nil:
		return err
	case publishErr != nil && !bytes.Equal(after.Body, body):
		return errors.New("refused, and changed")
	case publishErr != nil:
		return nil
	case refuse || parseErr != nil:
		return errors.New("overwritten")
	case len(stored.Manifest.Missing(before.Builds)) > 0:
		return errors.New("a build was lost")
	case len(stored.Manifest.Missing(entries)) > 0:
		return errors.New("the new build does not exist")
	}
	return nil
}

func goodPointer(ctx context.Context, t *testing.T, name registry.Name) []byte {
	t.Helper()
	mem := memstore.New()
	_, err := registry.New(mem).Move(ctx, hostileMove(name, 1), nil)
	if err != nil {
		t.Fatal(err)
	}
	object, err := mem.Get(ctx, name.Key(hostileImage))
	if err != nil {
		t.Fatal(err)
	}
	return object.Body
}

// recovered turns a panic into an error.
func recovered(err *error) {
	if cause := recover(); cause != nil {
		*err = fmt.Errorf("panic: %v", cause)
	}
}

// hostileMove asks for a move to the n-th build. No order of commits is in its way.
func hostileMove(name registry.Name, n int) registry.Request {
	entry := hostileEntry(fmt.Sprintf("run%d", n))
	entry.Images = []manifest.Image{
		{Provider: manifest.ProviderAWS, Region: home, ID: fmt.Sprintf("ami-%017x", n)},
	}
	to := registry.TargetOf(hostilePrint, []manifest.Entry{entry})
	to.Position = registry.Position{
		Commit: fmt.Sprintf("%040x", n), CommitTime: firstCommit, DecidedAt: decidedAt,
	}
	return registry.Request{
		Image: hostileImage, Name: name, To: to, AllowRollback: true, Change: manifest.Change{By: "torture"},
		Stored: registry.Stored{SHA256: text.SHA256(to.Commit)},
	}
}

// tryMove returns a trial that moves the pointer at whose address body lies.
func tryMove(name registry.Name) trial {
	return func(ctx context.Context, body []byte, refuse bool) (err error) {
		defer recovered(&err)
		mem := memstore.New()
		if _, err := mem.Put(ctx, name.Key(hostileImage), body, ""); err != nil {
			return err
		}
		reg := registry.New(mem)
		_, parseErr := reg.Pointer(ctx, hostileImage, name)
		request := hostileMove(name, 2)
		result, moveErr := reg.Move(ctx, request, nil)
		after, err := mem.Get(ctx, name.Key(hostileImage))
		unchanged := bytes.Equal(after.Body, body)
		switch {
		case err != nil:
			return err
		case moveErr != nil && !unchanged:
			return errors.New("refused, and changed")
		case moveErr != nil:
			return nil
		case refuse || parseErr != nil:
			return errors.New("overwritten")
		case result.Outcome == registry.Foreign && unchanged:
			return nil // The change gave it an origin.
		}
		p, err := reg.Pointer(ctx, hostileImage, name)
		if err == nil && !p.Current().Same(request.To) {
			err = errors.New("the move had no effect")
		}
		return err
	}
}

// scraps are what a mutation inserts.
var scraps = []string{
	`"`, `{`, `}`, `[`, `]`, `,`, `null`, `-1`, `9223372036854775807`, `1e999`, `"seq": 7,`,
	`"Seq": 7,`, "\x00", "\xff", `"schema": 2,`, `\ud800`, `"builds": [],`, `"chain": {},`,
	`{"images":[{"provider":"aws"}]},`, "true", `"\n"`,
}

// mutate changes a document in up to three places.
func mutate(random *rand.Rand, good []byte) []byte {
	body := bytes.Clone(good)
	for range 1 + random.IntN(3) {
		at := random.IntN(len(body))
		end := min(len(body), at+random.IntN(40))
		switch random.IntN(5) {
		case 0:
			body[at] ^= 1 << random.IntN(8)
		case 1:
			body = append(body[:at:at], body[end:]...)
		case 2:
			body = append(body[:end:end], body[at:]...)
		case 3:
			body = append(append(body[:at:at], scraps[random.IntN(len(scraps))]...), body[at:]...)
		default:
			body = append(append(body[:at:at], scraps[random.IntN(len(scraps))]...), body[end:]...)
		}
		if len(body) == 0 {
			return body
		}
	}
	return body
}
