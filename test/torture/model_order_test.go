// SPDX-License-Identifier: MPL-2.0

package torture

import (
	"cmp"
	"slices"
	"time"
)

// order returns -1 if a is older than b, 1 if it is newer, and 0 if nobody knows.
func order(a, b stand) int {
	switch {
	case a.commit == b.commit:
		return a.decided.Compare(b.decided)
	case a.commit.has(b.commit):
		return 1
	case b.commit.has(a.commit):
		return -1
	}
	return cmp.Or(a.age.Compare(b.age), a.decided.Compare(b.decided))
}

// order compares a visit with the newest run that has moved the channel. Of runs that nobody can
// put in order, what the channel has left already is older.
func (p *pointer) order(v visit) int {
	if known := order(v.by, p.mark); known != 0 {
		return known
	}
	left := p.visits
	for len(left) > 0 && left[0].back {
		left = left[1:]
	}
	was := func(old visit) bool { return old.bake == v.bake }
	if len(left) > 1 && !was(left[0]) && slices.ContainsFunc(left[1:], was) {
		return -1
	}
	return 0
}

// stand returns where a run stands for this pointer: no commit is younger than the moment in which
// a run saw it first, of those that the pointer remembers.
func (p *pointer) stand(s stand) stand {
	limits := []time.Time{s.decided}
	for _, v := range p.visits {
		if v.by.commit == s.commit {
			limits = append(limits, v.by.age)
		}
	}
	for _, limit := range limits {
		if limit.Before(s.age) {
			s.age = limit
		}
	}
	return s
}

// pointer returns a pointer, which is created if it does not exist.
func (m *model) pointer(key string) *pointer {
	if m.pointers[key] == nil {
		m.pointers[key] = &pointer{}
	}
	return m.pointers[key]
}

// moveLine moves a line: it goes wherever the last run of it went.
func (m *model) moveLine(key string, v visit) {
	p := m.pointer(key)
	v.by = p.stand(v.by)
	if len(p.visits) > 0 && p.visits[0].bake == v.bake {
		p.renew(v, order(v.by, p.visits[0].by), len(m.builds[v.bake.identity]))
		return
	}
	p.mark = v.by
	p.put(v, len(m.builds[v.bake.identity]))
}

// moveChannel moves a channel if order and rollbacks allow it. If read is not 0, it is how often
// the channel must have been written.
func (m *model) moveChannel(key string, v visit, allow bool, read int) outcome {
	p := m.pointer(key)
	v.by, v.back = p.stand(v.by), false
	builds := len(m.builds[v.bake.identity])
	if len(p.visits) == 0 {
		p.mark = v.by
		p.put(v, builds)
		return moved
	}
	now := p.visits[0].bake
	age := p.order(v)
	covers := func(h hold) bool { return h.covers(v.bake) }
	switch {
	case now == v.bake:
		p.renew(v, age, builds)
		return there
	case read != 0 && read != p.writes:
		return changed
	case !allow && age < 0:
		return older
	case !allow && slices.ContainsFunc(p.held, covers):
		return heldBack
	}
	p.held = slices.DeleteFunc(p.held, covers)
	if v.back = age < 0; v.back {
		p.held = slices.Insert(p.held, 0, leave(now, v.bake))
	} else {
		p.mark = v.by
	}
	p.put(v, builds)
	return moved
}

// leave returns what a rollback from one bake to another holds: what differs.
func leave(from, to *bake) hold {
	switch content := from.tree.content(from.image); {
	case content != to.tree.content(to.image):
		return hold{content: content}
	case from.identity != to.identity:
		return hold{identity: from.identity}
	}
	return hold{bake: from}
}

func (p *pointer) put(v visit, builds int) {
	p.visits = slices.Insert(p.visits, 0, v)
	p.writes, p.builds = p.writes+1, builds
}

// renew notes that a run which is not older has found the pointer where it should be. It is no
// move, and nothing is written if there is nothing to note.
func (p *pointer) renew(v visit, age, builds int) {
	now := p.visits[0]
	if age < 0 || now.by.commit == v.by.commit && p.builds == builds {
		return
	}
	v.back = now.back
	p.visits[0], p.mark = v, v.by
	p.writes, p.builds = p.writes+1, builds
}

// forwards returns where a channel can go back to, newest first: its newest forward move, and then
// what was there before each move that is left. A rollback takes away all that it went back over,
// and one after the newest forward move takes away nothing.
func (p *pointer) forwards() []visit {
	var path []visit
	for i := len(p.visits) - 1; i >= 0; i-- {
		v := p.visits[i]
		switch {
		case !v.back && (len(path) == 0 || path[0].bake != v.bake):
			path = append([]visit{v}, path...)
		case v.back && slices.ContainsFunc(p.visits[:i], func(v visit) bool { return !v.back }):
			for len(path) > 1 && path[0].bake != v.bake {
				path = path[1:]
			}
			if path[0].bake != v.bake {
				path[0] = v
			}
		}
	}
	return path
}
