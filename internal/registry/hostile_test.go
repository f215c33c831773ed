// SPDX-License-Identifier: MPL-2.0

package registry

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/packer-chain/packer-plugin-chain/internal/manifest"
	"github.com/packer-chain/packer-plugin-chain/internal/manifest/manifesttest"
	"github.com/packer-chain/packer-plugin-chain/internal/store"
	"github.com/packer-chain/packer-plugin-chain/internal/store/storetest/memstore"
)

// TestHostile_manifests puts what is not ours where a manifest belongs: nothing takes it, and nothing
// overwrites it.
func TestHostile_manifests(t *testing.T) {
	for _, doc := range manifesttest.Manifests(goodBody(t), image, fp1) {
		t.Run(doc.Name, func(t *testing.T) {
			mem, reg := planted(t, BuildKey(image, fp1), doc.Body)
			_, read := reg.Manifest(t.Context(), image, fp1)
			_, publish := reg.Publish(t.Context(), facts(fp1), []manifest.Entry{entry("run2", "app")}, nil)
			wantRefused(t, doc, read, publish)
			wantUntouched(t, mem, BuildKey(image, fp1), doc)
		})
	}
}

// TestHostile_pointers is the same for a pointer.
func TestHostile_pointers(t *testing.T) {
	for _, doc := range manifesttest.Pointers(image, "latest", fp1) {
		t.Run(doc.Name, func(t *testing.T) {
			key := latest.Key(image)
			mem, reg := planted(t, key, doc.Body)
			_, read := reg.Pointer(t.Context(), image, latest)
			_, all := reg.Pointers(t.Context(), image, latest)
			req := run{commit: "b", decided: 100, image: "B"}.request(latest, nil)
			req.AllowRollback = true
			_, move := reg.Move(t.Context(), req, nil)
			wantRefused(t, doc, read, all, move)
			wantUntouched(t, mem, key, doc)
		})
	}
}

// TestHostile_goodPointer has what the hostile ones are made of: it is good, and any of its fields that
// nobody needs may be missing.
func TestHostile_goodPointer(t *testing.T) {
	const commit = `      "commit": "` + manifesttest.Commit + `",` + "\n"
	for name, replace := range map[string][]string{
		"whole":      nil,
		"no commit":  {commit, ""},
		"no held":    {`"held": [`, `"x-held": [`},
		"no content": {`"content": {"x"`, `"x-content": {"x"`},
		"no line":    {`"line":`, `"x-line":`},
		"no origin":  {`"origin":`, `"x-origin":`},
		"no mark":    {`"mark":`, `"x-mark":`},
		"no at":      {`"at":`, `"x-at":`},
	} {
		t.Run(name, func(t *testing.T) {
			_, reg := planted(t, latest.Key(image), manifesttest.Pointer(image, "latest", fp1, replace...))
			req := run{commit: "b", decided: 100, image: "B"}.request(latest, nil)
			req.AllowRollback = true
			if got, p := move(t, reg, req); got.Outcome != Moved || len(p.Moves) != 2 {
				t.Errorf("got %+v", got)
			}
		})
	}
}

// TestHostile_lastSeq has a seq that is valid, and whose successor is not. The body used to be replaced by
// one that nobody could read again.
func TestHostile_lastSeq(t *testing.T) {
	last := `"seq": 9007199254740991`
	t.Run("pointer", func(t *testing.T) {
		doc := manifesttest.Document{Body: manifesttest.Pointer(image, "latest", fp1, `"seq": 1`, last)}
		mem, reg := planted(t, latest.Key(image), doc.Body)
		_, err := reg.Move(t.Context(), run{commit: "b", decided: 100, image: "B"}.request(latest, nil), nil)
		wantRefused(t, doc, err)
		wantUntouched(t, mem, latest.Key(image), doc)
	})
	t.Run("manifest", func(t *testing.T) {
		m, err := manifest.Parse(goodBody(t))
		if err != nil {
			t.Fatal(err)
		}
		m.Chain.Seq = manifest.MaxSeq
		body, err := manifest.Encode(m)
		if err != nil {
			t.Fatal(err)
		}
		doc := manifesttest.Document{Body: body}
		mem, reg := planted(t, BuildKey(image, fp1), body)
		_, err = reg.Publish(t.Context(), facts(fp1), []manifest.Entry{entry("run2", "app")}, nil)
		wantRefused(t, doc, err)
		wantUntouched(t, mem, BuildKey(image, fp1), doc)
	})
}

// TestHostile_facts publishes what could not be read again, such as the facts of a record that someone
// wrote by hand.
func TestHostile_facts(t *testing.T) {
	mem := memstore.New()
	bad := entry("run1", "app")
	bad.Images[0].Region = "eu-west-1\n"
	if _, err := New(mem).Publish(t.Context(), facts(fp1), []manifest.Entry{bad}, nil); err == nil {
		t.Error("a manifest was published that cannot be read")
	}
	if _, err := mem.Get(t.Context(), BuildKey(image, fp1)); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("it is there: %v", err)
	}
}

// TestHostile_manyBuilds merges into a manifest of thousands of builds that is too large to be written
// again, indented as it is then.
func TestHostile_manyBuilds(t *testing.T) {
	body, _ := manifesttest.ManyBuilds(goodBody(t), manifest.MaxSize/16)
	_, reg := planted(t, BuildKey(image, fp1), body)
	stored, err := reg.Manifest(t.Context(), image, fp1)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	again, err := reg.Publish(ctx, facts(fp1), stored.Manifest.Builds, nil)
	if err != nil || again.Manifest.Chain.Seq != 1 {
		t.Errorf("%v: publishing again what is there is no change", err)
	}
	of := facts(fp1)
	of.Sources = []string{"amazon-ebs.app"}
	after, err := reg.Publish(ctx, of, []manifest.Entry{entry("run2", "app")}, nil)
	if err == nil && len(after.Manifest.Missing([]manifest.Entry{entry("run2", "app")})) > 0 {
		t.Error("the new build is lost")
	}
	if now, err := reg.Manifest(ctx, image, fp1); err != nil || now.Manifest.Chain.Seq > 2 {
		t.Errorf("%v: the manifest is damaged", err)
	}
}

func goodBody(t *testing.T) []byte {
	t.Helper()
	stored, err := New(memstore.New()).Publish(t.Context(), facts(fp1), []manifest.Entry{entry("run1", "app")}, nil)
	if err != nil {
		t.Fatal(err)
	}
	return stored.Body
}

func planted(t *testing.T, key string, body []byte) (store.Store, *Registry) {
	t.Helper()
	mem := memstore.New()
	if _, err := mem.Put(t.Context(), key, body, ""); err != nil && !errors.Is(err, store.ErrTooLarge) {
		t.Fatal(err)
	} else if err != nil {
		t.Skip("the store itself refuses it")
	}
	return mem, New(mem)
}

func wantRefused(t *testing.T, doc manifesttest.Document, errs ...error) {
	t.Helper()
	for i, err := range errs {
		var newer *manifest.SchemaError
		if errors.Is(err, manifest.ErrCorrupt) == doc.Newer || errors.As(err, &newer) != doc.Newer {
			t.Errorf("%d: got %v", i, err)
		}
	}
}

func wantUntouched(t *testing.T, s store.Store, key string, doc manifesttest.Document) {
	t.Helper()
	object, err := s.Get(t.Context(), key)
	if err != nil || string(object.Body) != string(doc.Body) {
		t.Errorf("overwritten: %v\n%.300s", err, object.Body)
	}
}
