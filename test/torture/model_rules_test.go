// SPDX-License-Identifier: MPL-2.0

package torture

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// The images of the model. Child is built on base.
const (
	baseImage  = "base"
	childImage = "child"
)

// tree is what a commit holds: a version for each thing that can change. Image base is built from
// the folders base and shared, child from the folder child.
type tree struct{ base, shared, child, other int }

// content returns everything of a tree that an image is built from, its ancestors' included.
func (t tree) content(image string) string {
	content := fmt.Sprintf("base %d, shared %d", t.base, t.shared)
	if image == childImage {
		content += fmt.Sprintf(", child %d", t.child)
	}
	return content
}

// commit is one of git's.
type commit struct {
	// name is what the story calls it.
	name, id string
	parents  []*commit
	tree     tree
	at       time.Time
}

// has reports whether a commit is an ancestor, or this one.
func (c *commit) has(ancestor *commit) bool {
	return c == ancestor || slices.ContainsFunc(c.parents, func(parent *commit) bool {
		return parent.has(ancestor)
	})
}

// bake is an image that was built.
type bake struct {
	id, image string
	// identity is what it was built from, as its fingerprint has it.
	identity string
	tree     tree
	at       time.Time
}

// stand is where a run stands in the order of runs: its commit, how old that is, and when the run
// decided what to do.
type stand struct {
	commit       *commit
	age, decided time.Time
}

// visit is a move of a pointer.
type visit struct {
	bake *bake
	by   stand
	// line is that of the run whose image it is.
	line string
	back bool
}

// hold is what a rollback left: a content, an identity, or one bake.
type hold struct {
	content, identity string
	bake              *bake
}

func (h hold) covers(b *bake) bool {
	return h.content == b.tree.content(b.image) || h.identity == b.identity || h.bake == b
}

// pointer is a channel or a line. Newest visit first.
type pointer struct {
	visits []visit
	mark   stand
	held   []hold
	// writes counts those of the document. builds is how many bakes the manifest had at the last.
	writes, builds int
}

// outcome is what a run says of a channel.
type outcome string

const (
	moved    outcome = " -> "
	there    outcome = ""
	older    outcome = "a newer commit moved it there"
	heldBack outcome = "a rollback left what this run has"
	changed  outcome = "it was moved since data \"chain\" read it"
	notHere  outcome = "this is the run of "
	notLeft  outcome = " has left this image"
	notMoved outcome = " is not moved: "
)

// left is the local manifest of an image that could not be published.
type left struct {
	identity string
	bakes    []*bake
}

// model is who may move what. It knows no Packer, no git and no documents.
type model struct {
	// mayMove are the kinds of lines that move channels besides main: "branch-", "pr-".
	mayMove []string
	// builds are the published bakes of an identity, oldest first.
	builds map[string][]*bake
	// pointers have names such as "base/channels/latest" and "child/lines/pr-1".
	pointers map[string]*pointer
	local    map[string]*left
}

func newModel() *model {
	return &model{
		builds: map[string][]*bake{}, pointers: map[string]*pointer{}, local: map[string]*left{}}
}

// moves reports whether the runs of a line move channels.
func (m *model) moves(line string) bool {
	return line == "main" || slices.ContainsFunc(m.mayMove, func(kind string) bool {
		return strings.HasPrefix(line, kind)
	})
}

// unmerged reports whether a line is that of a pull request or a merge queue.
func unmerged(line string) bool {
	return strings.HasPrefix(line, "pr-") || strings.HasPrefix(line, "queue-")
}

func channelKey(image, name string) string { return image + "/channels/" + name }
func lineKey(image, name string) string    { return image + "/lines/" + name }

// visits returns the visits of a pointer, none if it does not exist.
func (m *model) visits(key string) []visit {
	if p := m.pointers[key]; p != nil {
		return p.visits
	}
	return nil
}

// parent returns what a child must be built on: what a run of the same commit left on the own line,
// else what has the very content there, else in the channel. Nil means that it must not be built.
func (m *model) parent(line string, at *commit) *bake {
	own, latest := m.visits(lineKey(baseImage, line)), m.visits(channelKey(baseImage, "latest"))
	want := at.tree.content(baseImage)
	for _, v := range own {
		if v.by.commit == at && v.bake.tree.content(baseImage) == want {
			return v.bake
		}
	}
	// A repeated run of an older commit moves its line too, but its image is not the newest there.
	var best *visit
	for _, v := range own {
		if v.bake.tree.content(baseImage) == want && (best == nil || order(v.by, best.by) > 0) {
			best = &v
		}
	}
	if best != nil {
		return best.bake
	}
	for _, v := range latest {
		if v.bake.tree.content(baseImage) == want {
			return v.bake
		}
	}
	return nil
}

// task is one run of a template.
type task struct {
	image, identity, line string
	commit                *commit
	decided               time.Time
	force, allow          bool
	// pass is what the run passes on; nil if it has to build. fresh is true if that is not published
	// yet. known is how many bakes of the identity were published when the run decided.
	pass  *bake
	fresh bool
	known int
}

// decide decides whether a run has to build. What the workspace still has to publish comes first,
// then what a pointer pins: the channel, the own line, that of main. Else the newest counts.
func (m *model) decide(r *task) {
	published := m.builds[r.identity]
	r.known = len(published)
	if unpublished := m.unpublished(r.image, r.identity); len(unpublished) > 0 {
		r.pass, r.fresh = unpublished[len(unpublished)-1], true
		return
	}
	if r.force || len(published) == 0 {
		return
	}
	r.pass = published[len(published)-1]
	pointers := []string{
		channelKey(r.image, "latest"), lineKey(r.image, r.line), lineKey(r.image, "main")}
	for _, key := range pointers {
		if visits := m.visits(key); len(visits) > 0 && visits[0].bake.identity == r.identity {
			r.pass = visits[0].bake
			return
		}
	}
}

// unpublished returns what of an identity the workspace has, and the registry nothing newer.
func (m *model) unpublished(image, identity string) []*bake {
	local := m.local[image]
	if local == nil || local.identity != identity {
		return nil
	}
	published := m.builds[identity]
	return slices.DeleteFunc(slices.Clone(local.bakes), func(b *bake) bool {
		return slices.Contains(published, b) ||
			slices.ContainsFunc(published, func(p *bake) bool { return p.at.After(b.at) })
	})
}

// keep leaves a local manifest after a publication that failed.
func (m *model) keep(r *task, b *bake) {
	local := m.local[r.image]
	if local == nil || local.identity != r.identity {
		local = &left{identity: r.identity}
		m.local[r.image] = local
	}
	if !slices.Contains(local.bakes, b) {
		local.bakes = append(local.bakes, b)
	}
}

// publish publishes own, which is what a run has baked or passes on, and returns what the image is
// then. The first one counts that was published since the run decided, or if it was forced the
// newest.
func (m *model) publish(r *task, own *bake) *bake {
	if !slices.Contains(m.builds[r.identity], own) {
		m.builds[r.identity] = append(m.builds[r.identity], own)
	}
	since := m.builds[r.identity][r.known:]
	switch {
	case r.pass != nil:
		return r.pass
	case r.force:
		return since[len(since)-1]
	}
	return since[0]
}

// settle ends a run that went well: a local manifest stays only if it knows more.
func (m *model) settle(r *task) {
	if len(m.unpublished(r.image, r.identity)) == 0 {
		delete(m.local, r.image)
	}
}
