// SPDX-License-Identifier: MPL-2.0

package torture

import (
	"fmt"
	"time"
)

// commit makes a commit, whose time is mostly right.
func (h *history) commit(ref string, t tree, parents ...*commit) *commit {
	at := time.Now()
	h.choose(
		choice{80, func() {}},
		choice{8, func() { at = at.Add(-2 * time.Minute) }},
		choice{8, func() { at = at.Add(-time.Minute) }},
		choice{4, func() { at = at.AddDate(31, 0, 0) }},
	)
	c := h.git.commit(ref, t, at, parents...)
	h.names["commit"][c.id] = c.name
	h.tell("%s at %s: base %d, shared %d, child %d, on %v", c.name,
		at.UTC().Format("2006-01-02 15:04"), t.base, t.shared, t.child, names(parents))
	return c
}

func names(commits []*commit) (all []string) {
	for _, c := range commits {
		all = append(all, c.name)
	}
	return all
}

func branchName(i int) string { return fmt.Sprintf("branch-%d", i+1) }

func branchRef(i int) string { return "refs/remotes/origin/" + branchName(i) }

const mainRef = "refs/remotes/origin/main"

// change changes something in git.
func (h *history) change() {
	branch := -1
	if len(h.heads) > 0 {
		branch = h.chance.IntN(len(h.heads))
	}
	onBranch := 0
	if branch >= 0 {
		onBranch = 1
	}
	h.choose(
		choice{40, func() { h.main = h.commit(mainRef, h.edited(h.main.tree), h.main) }},
		choice{25 * onBranch, func() {
			old := h.heads[branch]
			h.tell("%s:", branchName(branch))
			h.heads[branch] = h.commit(branchRef(branch), h.edited(old.tree), old)
		}},
		choice{12, h.branch},
		choice{20 * onBranch, func() { h.merge(branch) }},
		choice{6, h.revert},
		choice{4, h.pushBack},
		choice{6, h.commitOnLaptop},
	)
}

// edited returns a tree with one part changed, to a version that may have been there before.
func (h *history) edited(t tree) tree {
	version := func(old int) int { return 1 + (old+h.chance.IntN(3))%4 }
	h.choose(
		choice{30, func() { t.base = version(t.base) }},
		choice{20, func() { t.shared = version(t.shared) }},
		choice{30, func() { t.child = version(t.child) }},
		choice{20, func() { t.other++ }},
	)
	return t
}

// branch begins a branch, or begins an old one anew.
func (h *history) branch() {
	i := len(h.heads)
	if i == 3 {
		i = h.chance.IntN(i)
	} else {
		h.heads = append(h.heads, nil)
	}
	h.tell("%s begins:", branchName(i))
	h.heads[i] = h.commit(branchRef(i), h.edited(h.main.tree), h.main)
}

// merge merges a branch into main: by a merge commit, squashed, or fast-forward.
func (h *history) merge(i int) {
	branch := h.heads[i]
	if h.main.has(branch) {
		return
	}
	merged := mergedTree(h.main, branch)
	h.choose(
		choice{1, func() {
			h.tell("main merges %s:", branchName(i))
			h.main = h.commit(mainRef, merged, h.main, branch)
		}},
		choice{1, func() {
			h.tell("main squashes %s:", branchName(i))
			h.main = h.commit(mainRef, merged, h.main)
		}},
		choice{2, func() {
			if branch.has(h.main) {
				h.tell("main is fast-forwarded to %s", branch.name)
				h.main = branch
				h.git.set(mainRef, branch)
			}
		}},
	)
}

// mergedTree returns what git's merge would: what only one side has changed is as there.
func mergedTree(ours, theirs *commit) tree {
	fork := theirs
	for !ours.has(fork) {
		fork = fork.parents[0]
	}
	merged := ours.tree
	pick := func(mine *int, old, other int) {
		if other != old {
			*mine = other
		}
	}
	pick(&merged.base, fork.tree.base, theirs.tree.base)
	pick(&merged.shared, fork.tree.shared, theirs.tree.shared)
	pick(&merged.child, fork.tree.child, theirs.tree.child)
	pick(&merged.other, fork.tree.other, theirs.tree.other)
	return merged
}

// revert takes the last commit of main back, which may be a revert itself.
func (h *history) revert() {
	if len(h.main.parents) > 0 {
		h.tell("main reverts %s:", h.main.name)
		h.main = h.commit(mainRef, h.main.parents[0].tree, h.main)
	}
}

// pushBack pushes an older commit to main by force.
func (h *history) pushBack() {
	if len(h.main.parents) > 0 {
		h.main = h.main.parents[0]
		h.tell("main is pushed back to %s", h.main.name)
		h.git.set(mainRef, h.main)
	}
}

// commitOnLaptop commits what nobody else has yet. It may be pushed later.
func (h *history) commitOnLaptop() {
	switch {
	case h.unpushed == nil:
		h.tell("a laptop:")
		h.unpushed = h.commit("refs/heads/laptop", h.edited(h.main.tree), h.main)
	case h.unpushed.has(h.main):
		h.tell("the laptop pushes %s to main", h.unpushed.name)
		h.main = h.unpushed
		h.git.set(mainRef, h.main)
		h.unpushed = nil
	default:
		h.unpushed = nil
	}
}

// old returns a commit, or one before it.
func (h *history) old(c *commit) *commit {
	for len(c.parents) > 0 && h.percent(50) {
		c = c.parents[0]
	}
	return c
}

// place returns where something runs.
func (h *history) place() (p place) {
	name, branch := "main", h.main
	number := 0
	if len(h.heads) > 0 {
		i := h.chance.IntN(len(h.heads))
		name, branch, number = branchName(i), h.heads[i], i+1
	}
	mine := h.main
	if h.unpushed != nil {
		mine = h.unpushed
	}
	h.choose(
		choice{46, func() { p = branchJob("main", h.main) }},
		choice{10, func() { p = branchJob("main", h.old(h.main)) }},
		choice{12, func() { p = branchJob(name, branch) }},
		choice{4, func() { p = branchJob(name, h.old(branch)) }},
		choice{16, func() { p = pullJob(10+number, branch) }},
		choice{4, func() { p = tagJob(fmt.Sprintf("v%d", 1+h.chance.IntN(2)), h.old(h.main)) }},
		choice{3, func() { p = queueJob(branch) }},
		choice{3, func() { p = otherJob(h.old(h.main), h.main) }},
		choice{5, func() { p = laptop("main", h.old(h.main), h.main) }},
		choice{5, func() { p = laptop("main", mine, h.main) }},
		choice{3, func() { p = laptop(name, branch, branch) }},
	)
	return p
}
