// SPDX-License-Identifier: MPL-2.0

package torture

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"time"
)

// The outcomes of an operation.
const (
	// acked: the write was reported as done.
	acked = "acked"
	// refused: a newer commit keeps the channel where it is. Nothing was written.
	refused = "refused"
	// failed: the write was reported as failed. It may have happened or not.
	failed = "failed"
	// seen is the outcome of a read, unread of one that failed although the document exists.
	seen   = "seen"
	unread = "unread"
)

// op is one operation on one document, as the client saw it. Start and End are times of one clock.
type op struct {
	Client  int       `json:"client"`
	Doc     string    `json:"doc"`
	Start   int64     `json:"start"`
	End     int64     `json:"end"`
	Outcome string    `json:"outcome"`
	ID      string    `json:"id,omitempty"`
	Seq     int64     `json:"seq,omitempty"`
	Commit  time.Time `json:"commit,omitzero"`
	Error   string    `json:"error,omitempty"`
}

// document is what is in the store at the end: the ids of its writes, oldest first. A
// pointer keeps only the newest of them.
type document struct {
	Seq int64
	IDs []string
}

// verdict is what the checker found.
type verdict struct {
	// Lost counts acknowledged writes that do not exist; Duplicated those that exist again.
	Lost, Duplicated int
	// Faults describe what is wrong, also with what is neither lost nor duplicated.
	Faults []string
}

func (v *verdict) fault(format string, args ...any) {
	v.Faults = append(v.Faults, fmt.Sprintf(format, args...))
}

// checkHistory judges the operations of all clients against the documents at the end. A
// compare-and-swap that succeeds has one successor, so the documents themselves are the total
// order, and no search is needed.
func checkHistory(ops []op, final map[string]document) verdict {
	var v verdict
	byDoc := map[string][]op{}
	for name := range final {
		byDoc[name] = nil
	}
	for _, o := range ops {
		byDoc[o.Doc] = append(byDoc[o.Doc], o)
	}
	for name, ops := range byDoc {
		h := documentHistory{name: name, ops: ops, final: final[name], v: &v}
		h.countIDs()
		h.countSeqs()
		h.realTime()
		h.reads()
		h.commits()
	}
	slices.Sort(v.Faults)
	return v
}

// documentHistory is what happened to one document.
type documentHistory struct {
	name  string
	ops   []op
	final document
	v     *verdict
}

// first returns the seq of the oldest write whose id the document still has.
func (h documentHistory) first() int64 { return h.final.Seq - int64(len(h.final.IDs)) + 1 }

// countIDs wants each id at most once, those of acknowledged writes once and at their seq, and no
// others.
func (h documentHistory) countIDs() {
	tried, count := map[string]bool{}, map[string]int{}
	for _, o := range h.ops {
		if o.Outcome == acked || o.Outcome == failed {
			tried[o.ID] = true
		}
	}
	for _, id := range h.final.IDs {
		count[id]++
		if count[id] > 1 {
			h.v.Duplicated++
			h.v.fault("%s: %s exists %d times", h.name, id, count[id])
		}
		if !tried[id] {
			h.v.fault("%s: nobody wrote %s", h.name, id)
		}
	}
	for _, o := range h.ops {
		at := o.Seq - h.first()
		if o.Outcome != acked || at < 0 {
			continue
		}
		if at >= int64(len(h.final.IDs)) || h.final.IDs[at] != o.ID {
			h.v.fault("%s: %s was acknowledged with seq %d and does not exist", h.name, o.ID, o.Seq)
			if count[o.ID] == 0 {
				h.v.Lost++
			}
		}
	}
}

// countSeqs wants seqs without gaps. If the document has forgotten the ids, only the seqs are left:
// of two writes with one seq, the second replaced the first.
func (h documentHistory) countSeqs() {
	if h.final.Seq < int64(len(h.final.IDs)) {
		h.v.fault("%s: seq %d with %d writes", h.name, h.final.Seq, len(h.final.IDs))
	}
	holders, unsure := map[int64]int{}, 0
	for _, o := range h.ops {
		switch o.Outcome {
		case acked:
			holders[o.Seq]++
			if n := holders[o.Seq]; n > 1 {
				h.v.fault("%s: %d writes were acknowledged with seq %d", h.name, n, o.Seq)
				if o.Seq < h.first() {
					h.v.Lost++
				}
			}
		case failed:
			unsure++
		}
	}
	var gaps int64
	for seq := int64(1); seq <= h.final.Seq; seq++ {
		if holders[seq] == 0 {
			gaps++
		}
	}
	if gaps > int64(unsure) {
		h.v.fault("%s: %d seqs were written by nobody, with %d writes that failed", h.name, gaps, unsure)
	}
}

// realTime wants a write that ended before another began to have the smaller seq.
func (h documentHistory) realTime() {
	latest := int64(math.MinInt64)
	for _, o := range h.acked() {
		if o.End < latest {
			h.v.fault("%s: %s with seq %d ended before a write with a smaller seq began",
				h.name, o.ID, o.Seq)
		}
		latest = max(latest, o.Start)
	}
}

// reads wants each read to see a write that had begun, and whose successor had not ended before the
// read began. No client may see time run backwards.
func (h documentHistory) reads() {
	started, ended := map[int64]int64{}, map[int64]int64{}
	for _, o := range h.acked() {
		started[o.Seq], ended[o.Seq] = o.Start, o.End
	}
	last := map[int]int64{}
	inTime := slices.Clone(h.ops)
	slices.SortStableFunc(inTime, func(a, b op) int { return cmp.Compare(a.Start, b.Start) })
	for _, o := range inTime {
		if o.Outcome != seen {
			continue
		}
		if begin, known := started[o.Seq]; known && begin > o.End {
			h.v.fault("%s: client %d read seq %d before it was written", h.name, o.Client, o.Seq)
		}
		if end, known := ended[o.Seq+1]; known && end < o.Start {
			h.v.fault("%s: client %d read seq %d after %d was written", h.name, o.Client, o.Seq, o.Seq+1)
		}
		if o.Seq < last[o.Client] {
			h.v.fault("%s: client %d read seq %d after %d", h.name, o.Client, o.Seq, last[o.Client])
		}
		last[o.Client] = max(last[o.Client], o.Seq)
	}
}

// commits wants a channel that no older commit takes back, and no refusal without a newer commit.
func (h documentHistory) commits() {
	var newest time.Time
	for _, o := range h.acked() {
		if o.Commit.Before(newest) {
			h.v.fault("%s: %s took the channel back to an older commit", h.name, o.ID)
		}
		if o.Commit.After(newest) {
			newest = o.Commit
		}
	}
	for _, o := range h.ops {
		if o.Outcome == refused && !h.newerThan(o) {
			h.v.fault("%s: a move of client %d was refused without a newer commit", h.name, o.Client)
		}
	}
}

func (h documentHistory) newerThan(refusal op) bool {
	return slices.ContainsFunc(h.ops, func(o op) bool {
		return (o.Outcome == acked || o.Outcome == failed) &&
			o.Start <= refusal.End && o.Commit.After(refusal.Commit)
	})
}

// acked returns the acknowledged writes by seq.
func (h documentHistory) acked() []op {
	var writes []op
	for _, o := range h.ops {
		if o.Outcome == acked {
			writes = append(writes, o)
		}
	}
	slices.SortStableFunc(writes, func(a, b op) int { return cmp.Compare(a.Seq, b.Seq) })
	return writes
}
