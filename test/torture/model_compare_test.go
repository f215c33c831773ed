// SPDX-License-Identifier: MPL-2.0

package torture

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/packer-chain/packer-plugin-chain/internal/registry"
	"github.com/packer-chain/packer-plugin-chain/internal/store/dirstore"
)

// documents returns all documents of the registry.
func (h *history) documents() map[string]string {
	paths, err := filepath.Glob(filepath.Join(h.registry, "*", "*", "*.json"))
	if err != nil {
		h.t.Fatal(err)
	}
	found := map[string]string{}
	for _, path := range paths {
		body, err := os.ReadFile(path)
		if err != nil {
			h.t.Fatal(err)
		}
		name, err := filepath.Rel(h.registry, path)
		if err != nil {
			h.t.Fatal(err)
		}
		found[strings.TrimSuffix(filepath.ToSlash(name), ".json")] = string(body)
	}
	return found
}

// checkMoved checks that a run has written no pointers but its own one, and a channel if it may.
func (h *history) checkMoved(before map[string]string, own string, mayMove bool, channel string) {
	for name, body := range h.documents() {
		isMine := name == own && (mayMove || own != channel) || name == channel && mayMove
		if _, isBuild := h.builds(name); body != before[name] && !isBuild && !isMine {
			h.fail("it has written %s", name)
		}
	}
}

// builds returns the fingerprint of a document that is a build.
func (h *history) builds(name string) (fingerprint string, isBuild bool) {
	folder, fingerprint, _ := strings.Cut(name, "/builds/")
	return fingerprint, folder != name
}

// compare compares the registry with the model.
func (h *history) compare() {
	got, want := map[string]string{}, map[string]string{}
	reg := registry.New(dirstore.New(h.registry))
	for name := range h.documents() {
		parts := strings.Split(name, "/")
		if _, isBuild := h.builds(name); isBuild {
			got[h.names["fingerprint"][parts[2]]] = h.storedBuilds(reg, parts[0], parts[2])
			continue
		}
		kind := registry.Kind(strings.TrimSuffix(parts[1], "s"))
		p, err := reg.Pointer(h.t.Context(), parts[0], registry.Name{Kind: kind, Name: parts[2]})
		if err != nil {
			h.fail("%v", err)
		}
		got[name] = h.stored(p)
	}
	for identity, bakes := range h.model.builds {
		want[identity] = ids(bakes)
	}
	for name, p := range h.model.pointers {
		want[name] = p.String()
	}
	if maps.Equal(got, want) {
		return
	}
	h.fail("the registry differs from the model (-model +registry):\n%s", cmp.Diff(want, got))
}

// storedBuilds returns the bakes that a manifest has.
func (h *history) storedBuilds(reg *registry.Registry, image, fingerprint string) string {
	stored, err := reg.Manifest(h.t.Context(), image, fingerprint)
	if err != nil {
		h.fail("%v", err)
	}
	var bakes []*bake
	for _, entry := range stored.Manifest.Builds {
		bakes = append(bakes, h.bakes[entry.ArtifactID])
	}
	return ids(bakes)
}

func ids(bakes []*bake) string {
	var all []string
	for _, b := range bakes {
		all = append(all, b.id)
	}
	return strings.Join(all, " ")
}

// String returns all that counts of a pointer, in words.
func (p *pointer) String() string {
	var lines []string
	for _, v := range p.visits {
		kind := "forward"
		if v.back {
			kind = "rollback"
		}
		lines = append(lines, fmt.Sprintf("%s %s by %s of %s", kind, v.bake.id, v.by, v.line))
	}
	lines = append(lines, "mark "+p.mark.String())
	for _, held := range p.held {
		what := held.content + held.identity
		if held.bake != nil {
			what = held.bake.id
		}
		lines = append(lines, "held "+what)
	}
	return strings.Join(append(lines, fmt.Sprintf("written %d times\n", p.writes)), "\n")
}

func (s stand) String() string { return standText(s.commit.name, s.age, s.decided) }

func standText(commit string, age, decided time.Time) string {
	const format = "2006-01-02 15:04"
	return fmt.Sprintf("%s (%s, decided %s)",
		commit, age.UTC().Format(format), decided.UTC().Format(format))
}

// stored returns the same of a pointer in the registry.
func (h *history) stored(p *registry.Pointer) string {
	stand := func(at registry.Position) string {
		return standText(h.names["commit"][at.Commit], at.CommitTime, at.DecidedAt)
	}
	baked := func(builds []registry.Build) string {
		var all []string
		for _, build := range builds {
			all = append(all, build.ArtifactID)
		}
		return strings.Join(all, " ")
	}
	var lines []string
	for _, move := range p.Moves {
		lines = append(lines, fmt.Sprintf("%s %s by %s of %s",
			move.Kind, baked(move.Builds), stand(move.Position), move.Line.Document()))
	}
	lines = append(lines, "mark "+stand(p.Mark))
	for _, held := range p.Held {
		what := h.names["fingerprint"][held.Fingerprint] + baked(held.Builds)
		if held.Content != nil {
			what = h.names["content"][fmt.Sprint(held.Content)]
		}
		lines = append(lines, "held "+what)
	}
	return strings.Join(append(lines, fmt.Sprintf("written %d times\n", p.Seq)), "\n")
}

// same remembers what something of the plugin is in the model, and checks that both say the same of
// what is equal.
func (h *history) same(what, plugin, model string) {
	names := h.names[what]
	if known, isKnown := names[plugin]; isKnown && known != model {
		h.fail("the %s of %q is that of %q", what, model, known)
	}
	isTaken := slices.Contains(slices.Collect(maps.Values(names)), model)
	if _, isKnown := names[plugin]; isTaken && !isKnown {
		h.fail("the %s of %q has changed", what, model)
	}
	names[plugin] = model
}
