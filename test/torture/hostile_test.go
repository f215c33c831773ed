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

	hostileRef    = "latest"
	hostileRefKey = "app/channels/latest.json"
)

// trial writes where body lies, and returns what went wrong. If refuse is set, body must stay as it
// is.
type trial func(ctx context.Context, body []byte, refuse bool) error

// TestHostile publishes, and moves refs, where other documents lie than ours: those of package
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
	good, goodRef := goodDocument(ctx, t), goodRefDocument(ctx, t)
	for _, doc := range manifesttest.Manifests(good, hostileImage, hostilePrint) {
		if len(doc.Body) <= manifest.MaxSize {
			try(tryDocument, doc.Name, doc.Body, true)
		}
	}
	for _, doc := range manifesttest.Refs(hostileImage, hostileRef, hostilePrint) {
		if len(doc.Body) <= manifest.MaxSize {
			try(tryMove, "ref, "+doc.Name, doc.Body, true)
		}
	}
	chance := random(t)
	for i := range figure(3_000, 150_000) {
		if ctx.Err() != nil || n.lost > 10 {
			break
		}
		name := fmt.Sprintf("mutation %d", i)
		if i%2 == 0 {
			try(tryDocument, name, mutate(chance, good), false)
		} else {
			try(tryMove, "ref, "+name, mutate(chance, goodRef), false)
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

func goodRefDocument(ctx context.Context, t *testing.T) []byte {
	t.Helper()
	mem := memstore.New()
	_, err := registry.New(mem).Move(ctx, hostileImage, hostileRef, hostileTarget("1"),
		registry.Always, "torture", nil)
	if err != nil {
		t.Fatal(err)
	}
	object, err := mem.Get(ctx, hostileRefKey)
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

func hostileTarget(commit string) registry.Target {
	return registry.Target{
		Fingerprint: hostilePrint, ManifestSeq: 1,
		ManifestSHA256: text.SHA256(commit), Commit: commit,
	}
}

// tryMove moves the ref at whose address body lies.
func tryMove(ctx context.Context, body []byte, refuse bool) (err error) {
	defer recovered(&err)
	mem := memstore.New()
	if _, err := mem.Put(ctx, hostileRefKey, body, ""); err != nil {
		return err
	}
	reg := registry.New(mem)
	_, parseErr := reg.Ref(ctx, hostileImage, hostileRef)
	_, moveErr := reg.Move(ctx, hostileImage, hostileRef, hostileTarget("2"),
		registry.Always, "torture", nil)
	after, err := mem.Get(ctx, hostileRefKey)
	switch {
	case err != nil:
		return err
	case moveErr != nil && !bytes.Equal(after.Body, body):
		return errors.New("refused, and changed")
	case moveErr != nil:
		return nil
	case refuse || parseErr != nil:
		return errors.New("overwritten")
	}
	ref, err := reg.Ref(ctx, hostileImage, hostileRef)
	// A ref that names a newer manifest of the build stays with that.
	if err == nil && ref.Commit != "2" && ref.ManifestSeq <= 1 {
		err = errors.New("the move had no effect")
	}
	return err
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
