// SPDX-License-Identifier: MPL-2.0

package torture

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	packersdk "github.com/hashicorp/packer-plugin-sdk/packer"
	"github.com/zclconf/go-cty/cty"

	"github.com/packer-chain/packer-plugin-chain/builder/existing"
	"github.com/packer-chain/packer-plugin-chain/datasource/image"
	"github.com/packer-chain/packer-plugin-chain/datasource/parent"
	"github.com/packer-chain/packer-plugin-chain/internal/record"
	"github.com/packer-chain/packer-plugin-chain/postprocessor/publish"
)

// screen remembers what a component says.
type screen struct {
	packersdk.Ui
	mu    sync.Mutex
	lines []string
}

func (s *screen) Say(text string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.lines = append(s.lines, text)
}

func (s *screen) Error(text string) { s.Say(text) }

// baked is the artifact of a builder whose images are no AMIs.
type baked struct{ id string }

func (b baked) BuilderId() string { return "acme.builder" }
func (b baked) Files() []string   { return nil }
func (b baked) Id() string        { return b.id }
func (b baked) String() string    { return b.id }
func (b baked) State(string) any  { return nil }
func (b baked) Destroy() error    { panic("the image is destroyed") }

// options are those of a component, as Packer passes them.
type options = map[string]any

// source is a data source.
type source interface {
	Configure(raws ...any) error
	Execute() (cty.Value, error)
}

func execute(s source, o options) (cty.Value, error) {
	if err := s.Configure(o); err != nil {
		return cty.NilVal, err
	}
	return s.Execute()
}

// run is one run of a template.
type run struct {
	task
	place  place
	id     string
	record string
	// own is what the run has baked, or passes on. It is nil if the bake has failed.
	own *bake
	// artifact is what its builder made.
	artifact packersdk.Artifact
}

// enter checks out what a run builds, in the environment that it has.
func (h *history) enter(p place, runID string) {
	h.git.checkOut(p.commit, p.branch)
	for _, name := range jobVariables {
		if err := os.Setenv(name, p.env[name]); err != nil {
			h.t.Fatal(err)
		}
	}
	if err := os.Setenv("PACKER_RUN_UUID", runID); err != nil {
		h.t.Fatal(err)
	}
}

var jobVariables = []string{
	"GITHUB_ACTIONS", "GITHUB_REF", "GITHUB_SHA", "GITHUB_EVENT_NAME", "GITHUB_HEAD_REF"}

// start runs the data sources and the gate. It returns nil if the run ends there.
func (h *history) start(of string, p place, force, allow bool) *run {
	h.runs++
	r := &run{place: p, id: fmt.Sprintf("run-%d", h.runs)}
	// Stores tell the time in whole seconds.
	r.task = task{image: of, line: p.line, commit: p.commit, force: force, allow: allow,
		decided: time.Now().Truncate(time.Second)}
	h.enter(p, r.id)
	options := options{
		"image": of, "registry": h.registry, "path": filepath.Join(h.git.dir, of), "force": force}
	r.identity = fmt.Sprintf("base %d, shared %d", p.commit.tree.base, p.commit.tree.shared)
	if of == baseImage {
		options["extra_paths"] = []string{filepath.Join(h.git.dir, "shared")}
	} else {
		on, ref := h.resolve(p)
		if on == nil {
			return nil
		}
		options["parents"] = []string{ref}
		r.identity = fmt.Sprintf("child %d on %s", p.commit.tree.child, on.id)
	}
	value, err := execute(&image.Datasource{}, options)
	if err != nil {
		h.fail("data \"chain-image\": %v", err)
	}
	r.record = value.GetAttr("record").AsString()
	h.model.decide(&r.task)
	h.checkDecision(r)
	return r
}

// resolve resolves the parent of child, which is base.
func (h *history) resolve(p place) (on *bake, ref string) {
	want := h.model.parent(p.line, p.commit)
	value, err := execute(&parent.Datasource{}, options{
		"kind": "artifact", "image": baseImage, "registry": h.registry,
		"path": filepath.Join(h.git.dir, baseImage),
	})
	if err != nil {
		if want != nil {
			h.fail("data \"chain\": %v\nThe model has %s", err, want.id)
		}
		h.wantError(err, "not found (path ")
		h.tell("  it has no parent")
		return nil, ""
	}
	got := h.bakes[value.GetAttr("id").AsString()]
	switch content := got.tree.content(baseImage); {
	case content != p.commit.tree.content(baseImage):
		h.fail("child is built on %s, which was built from %s", got.id, content)
	case want == nil:
		h.fail("child is built on %s, and the model has no parent", got.id)
	case got != want:
		h.fail("child is built on %s, and the model has %s", got.id, want.id)
	}
	return got, value.GetAttr("ref").AsString()
}

// checkDecision compares what a run has decided with the model, and runs the gate.
func (h *history) checkDecision(r *run) {
	rec, err := record.Decode(r.record)
	if err != nil {
		h.fail("%v", err)
	}
	h.same("fingerprint", rec.Fingerprint, r.identity)
	h.same("content", fmt.Sprint(rec.Git.Content), r.commit.tree.content(r.image))
	if len(rec.Pending) > 0 && !r.force && len(h.model.builds[r.identity]) > 0 {
		h.fail("it is built again: %s", rec.Reason)
	}
	gate := &existing.Builder{}
	ui := &screen{}
	if _, _, err = gate.Prepare(options{"record": r.record}); err != nil {
		h.fail("%v", err)
	}
	artifact, err := gate.Run(h.t.Context(), ui, nil)
	switch {
	case err != nil:
		h.fail("source \"chain\": %v", err)
	case artifact == nil && r.pass != nil:
		h.fail("it has to be built (%s), and the model passes %s on", rec.Reason, r.pass.id)
	case artifact != nil && r.pass == nil:
		h.fail("it passes %s on, and the model has it built", artifact.Id())
	case artifact == nil:
		h.tell("  it has to be built: %s", rec.Reason)
		return
	}
	h.tell("  it passes %s on: %s", artifact.Id(), rec.Reason)
	if artifact.Id() != r.pass.id || rec.Unpublished != r.fresh {
		h.fail("the model passes %s on, unpublished %t", r.pass.id, r.fresh)
	}
	r.own, r.artifact = r.pass, artifact
}

// bake builds what has to be built.
func (h *history) bake(r *run) {
	if r.own == nil {
		r.own = &bake{id: fmt.Sprintf("bake-%d", len(h.bakes)+1), image: r.image,
			identity: r.identity, tree: r.commit.tree, at: time.Now()}
		h.bakes[r.own.id] = r.own
		r.artifact = baked{r.own.id}
		h.tell("  it bakes %s", r.own.id)
	}
}

// finish bakes what has to be built, and runs the post-processor. broken is the part of the
// registry that cannot be reached meanwhile, if any.
func (h *history) finish(r *run, broken string) {
	h.enter(r.place, r.id)
	h.bake(r)
	before := h.documents()
	builder := "acme"
	if r.pass != nil {
		builder = "chain"
	}
	o := options{"record": r.record, "allow_rollback": r.allow,
		"packer_build_name": "image", "packer_builder_type": builder}
	if h.branches != nil {
		o["branches"] = h.branches
	}
	ui, got, err := h.publish(r.artifact, o, r.image, broken)
	h.checkMoved(before,
		lineKey(r.image, r.line), h.model.moves(r.line), channelKey(r.image, "latest"))
	if broken == "registry" {
		if r.pass == nil || r.fresh {
			h.model.keep(&r.task, r.own)
		}
		h.wantError(err, h.registry)
		return
	}
	now := h.model.publish(&r.task, r.own)
	said, whole := h.point(r, now, err, broken)
	if !whole {
		return
	}
	h.model.settle(&r.task)
	h.wantSaid(ui, err, said)
	if got == nil || got.Id() != now.id {
		h.fail("it passes %v on, and the model has %s", got, now.id)
	}
}

// point moves the pointers of the model to what a run has published. It returns what the run says
// of the channel, and whether all has gone well.
func (h *history) point(r *run, now *bake, err error, broken string) (said outcome, whole bool) {
	v := visit{bake: now, line: r.line, by: stand{r.commit, r.commit.at, r.decided}}
	if broken == "lines" {
		h.wantError(err, "move line "+r.line)
	} else {
		h.model.moveLine(lineKey(r.image, r.line), v)
	}
	switch {
	case !h.model.moves(r.line):
		return notMoved, broken != "lines"
	case broken == "channels":
		h.wantError(err, "move channel latest")
		return "", false
	}
	said = h.model.moveChannel(channelKey(r.image, "latest"), v, r.allow, 0)
	return said, broken != "lines"
}

// publish runs the post-processor.
func (h *history) publish(artifact packersdk.Artifact, o options, of, broken string) (
	*screen, packersdk.Artifact, error,
) {
	var p publish.PostProcessor
	if err := p.Configure(o); err != nil {
		h.fail("post-processor: %v", err)
	}
	mend := h.breakDown(of, broken)
	defer mend()
	ui := &screen{}
	got, _, _, err := p.PostProcess(h.t.Context(), ui, artifact)
	for _, line := range ui.lines {
		h.tell("  | %s", line)
	}
	if err != nil {
		h.tell("  | %v", err)
	}
	return ui, got, err
}

// breakDown makes a folder of the registry unusable: all of it, or the lines or the channels of an
// image.
func (h *history) breakDown(of, what string) (mend func()) {
	dir := h.registry
	switch what {
	case "":
		return func() {}
	case "lines", "channels":
		dir = filepath.Join(dir, of, what)
	}
	aside := dir + ".aside"
	existed := os.Rename(dir, aside) == nil
	err := os.MkdirAll(filepath.Dir(dir), 0o755)
	if err == nil {
		err = os.WriteFile(dir, nil, 0o644)
	}
	if err != nil {
		h.t.Fatal(err)
	}
	return func() {
		err := os.Remove(dir)
		if existed && err == nil {
			err = os.Rename(aside, dir)
		}
		if err != nil {
			h.t.Fatal(err)
		}
	}
}

func (h *history) wantError(err error, text string) {
	if err == nil || !strings.Contains(err.Error(), text) {
		h.fail("got error %v, want one with %q", err, text)
	}
}

// wantSaid checks what a run says of a channel, and that it goes well.
func (h *history) wantSaid(ui *screen, err error, want outcome) {
	if err != nil {
		h.fail("%v", err)
	}
	var said []string
	for _, line := range ui.lines {
		says := strings.HasPrefix(strings.TrimPrefix(line, "warning: "), "channel ")
		// A promotion says that it has found the channel there.
		if says && !strings.HasSuffix(line, " already") {
			said = append(said, line)
		}
	}
	if got := strings.Join(said, "\n"); (got == "") != (want == there) ||
		!strings.Contains(got, string(want)) {
		h.fail("it says %q of channels, and the model %q", got, want)
	}
}
