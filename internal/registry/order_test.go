// SPDX-License-Identifier: MPL-2.0

package registry

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/packer-chain/packer-plugin-chain/internal/manifest"
	"github.com/packer-chain/packer-plugin-chain/internal/store/storetest/memstore"
	"github.com/packer-chain/packer-plugin-chain/internal/text"
)

const (
	acme, other = "github.com/acme/images//snowflake", "github.com/other/images//snowflake"
	noRemote    = "//snowflake"

	// year2031 is a committer's time far in the future, in minutes.
	year2031 = 5 * 365 * 24 * 60
)

// run is one run that wants to move a pointer, and what shall come of it.
type run struct {
	// commit is its commit, made at a minute; 0 is the minute of the decision.
	commit      string
	at, decided int
	// image is content/fingerprint/AMIs: "A/1" differs from "A/2" in its fingerprint, "A/1/x" from
	// "A/1/y" in its AMIs only.
	image  string
	origin string
	// allow is allow_rollback, takeOver is origin.
	allow    bool
	takeOver string
	readSeq  int64

	want Outcome
	kind MoveKind
	// on is the image that the pointer is on then, and mark the commit of its mark.
	on, mark string
}

// sha returns the object id of a commit or a folder, by any name.
func sha(name string) string {
	if name == "" {
		return ""
	}
	return text.SHA256(name)[:40]
}

func minute(n int) time.Time {
	return time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC).Add(time.Duration(n) * time.Minute)
}

func (r run) target() Target {
	part := strings.Split(r.image, "/")
	to := Target{
		Fingerprint: text.SHA256(strings.Join(part[:min(2, len(part))], "/")),
		Content:     map[string]string{"snowflake": sha(part[0])},
		GitSHA:      sha(part[0]),
		Origin:      r.origin,
		Builds: []Build{{Source: "amazon-ebs.app", Run: r.image,
			AMIs: map[string]string{"eu-west-1": "ami-" + text.SHA256(r.image)[:17]}}},
	}
	to.DecidedAt = minute(r.decided)
	if r.commit == "" {
		to.Content, to.GitSHA = nil, ""
		return to
	}
	to.Commit, to.CommitTime = sha(r.commit), minute(r.at)
	if r.at == 0 {
		to.CommitTime = to.DecidedAt
	}
	return to
}

// request returns the request of the run for a pointer. known holds what its checkout knows of the
// history, as "older<newer". As to git, a commit is its own ancestor.
func (r run) request(name Name, known []string) Request {
	req := Request{
		Image: image, Name: name, To: r.target(), AllowRollback: r.allow, TakeOver: r.takeOver,
		ReadSeq: r.readSeq, Change: manifest.Change{By: "ci"},
	}
	req.Stored.SHA256 = req.To.Fingerprint
	if known != nil {
		req.Ancestor = func(older, newer string) bool {
			return older == newer || slices.ContainsFunc(known, func(pair string) bool {
				a, b, _ := strings.Cut(pair, "<")
				return sha(a) == older && sha(b) == newer
			})
		}
	}
	return req
}

var order = map[string]struct {
	line  bool
	known []string
	runs  []run
}{
	"the first move creates": {runs: []run{
		{commit: "a", decided: 5, image: "A", want: Created, kind: Forward, on: "A", mark: "a"},
	}},

	// Order.
	"a newer commit": {runs: []run{
		{commit: "a", decided: 5, image: "A", want: Created, kind: Forward, on: "A"},
		{commit: "b", decided: 9, image: "B", want: Moved, kind: Forward, on: "B", mark: "b"},
	}},
	"an older commit leaves the channel": {runs: []run{
		{commit: "b", at: 4, decided: 5, image: "B", want: Created, kind: Forward, on: "B"},
		{commit: "a", at: 3, decided: 9, image: "A", want: Older, on: "B", mark: "b"},
	}},
	"a descendant with an earlier time": {known: []string{"a<b"}, runs: []run{
		{commit: "a", at: 4, decided: 5, image: "A", want: Created, kind: Forward, on: "A"},
		{commit: "b", at: 2, decided: 9, image: "B", want: Moved, kind: Forward, on: "B", mark: "b"},
		{commit: "a", at: 4, decided: 12, image: "A", want: Older, on: "B", mark: "b"},
	}},
	"a clock that is two minutes slow, and no known history": {runs: []run{
		{commit: "a", at: 4, decided: 5, image: "A", want: Created, kind: Forward, on: "A"},
		{commit: "b", at: 2, decided: 9, image: "B", want: Older, on: "A", mark: "a"},
	}},
	"an ancestor with a later time": {known: []string{"a<b"}, runs: []run{
		{commit: "b", at: 2, decided: 5, image: "B", want: Created, kind: Forward, on: "B"},
		{commit: "a", at: 4, decided: 9, image: "A", want: Older, on: "B", mark: "b"},
	}},
	"a history that does not know the commit of the channel": {known: []string{"x<y"}, runs: []run{
		{commit: "a", at: 4, decided: 5, image: "A", want: Created, kind: Forward, on: "A"},
		{commit: "b", at: 6, decided: 9, image: "B", want: Moved, kind: Forward, on: "B"},
		{commit: "a", at: 4, decided: 12, image: "A", want: Older, on: "B", mark: "b"},
	}},
	"equal times, decided later": {runs: []run{
		{commit: "a", at: 4, decided: 5, image: "A", want: Created, kind: Forward, on: "A"},
		{commit: "b", at: 4, decided: 6, image: "B", want: Moved, kind: Forward, on: "B", mark: "b"},
	}},
	"equal times, decided earlier": {runs: []run{
		{commit: "a", at: 4, decided: 6, image: "A", want: Created, kind: Forward, on: "A"},
		{commit: "b", at: 4, decided: 5, image: "B", want: Older, on: "A", mark: "a"},
	}},
	// Commits of bots and merges have the same second. A new run of the parent commit took the channel
	// back from its child.
	"equal times, and the history knows": {known: []string{"a<b"}, runs: []run{
		{commit: "a", at: 4, decided: 5, image: "A", want: Created, kind: Forward, on: "A"},
		{commit: "b", at: 4, decided: 5, image: "B", want: Moved, kind: Forward, on: "B"},
		{commit: "a", at: 4, decided: 9, image: "A/1/again", want: Older, on: "B", mark: "b"},
	}},
	"the same commit, decided later": {runs: []run{
		{commit: "a", at: 4, decided: 5, image: "A/1/x", want: Created, kind: Forward, on: "A/1/x"},
		{commit: "a", at: 4, decided: 6, image: "A/1/y", want: Moved, kind: Forward, on: "A/1/y"},
	}},
	// Two runs of one commit: the one that decided first is slower.
	"the same commit, decided earlier": {known: []string{"x<y"}, runs: []run{
		{commit: "a", at: 4, decided: 6, image: "A/1/x", want: Created, kind: Forward, on: "A/1/x"},
		{commit: "a", at: 4, decided: 5, image: "A/1/y", want: Older, on: "A/1/x"},
	}},
	"the same commit, decided in the same second": {runs: []run{
		{commit: "a", at: 4, decided: 5, image: "A/1/x", want: Created, kind: Forward, on: "A/1/x"},
		{commit: "a", at: 4, decided: 5, image: "A/1/y", want: Moved, kind: Forward, on: "A/1/y"},
	}},
	"decided in the same second, what was there before is older": {runs: []run{
		{commit: "a", at: 4, decided: 5, image: "A/1", want: Created, kind: Forward, on: "A/1"},
		{commit: "a", at: 4, decided: 5, image: "A/2", want: Moved, kind: Forward, on: "A/2"},
		{commit: "a", at: 4, decided: 5, image: "A/1", want: Older, on: "A/2"},
		{commit: "a", at: 4, decided: 5, image: "A/1", allow: true, want: Moved, kind: Rollback, on: "A/1"},
		{commit: "a", at: 4, decided: 5, image: "A/2", want: HeldBack, on: "A/1"},
		{commit: "a", at: 4, decided: 5, image: "A/2", allow: true, want: Moved, kind: Forward, on: "A/2"},
	}},
	"a committer's time in 2031 does not keep others away": {runs: []run{
		{commit: "a", at: year2031, decided: 5, image: "A", want: Created, kind: Forward, on: "A"},
		{commit: "b", at: 8, decided: 9, image: "B", want: Moved, kind: Forward, on: "B", mark: "b"},
	}},
	"a committer's time in 2031 counts as when it was first seen": {runs: []run{
		{commit: "a", at: year2031, decided: 5, image: "A", want: Created, kind: Forward, on: "A"},
		{commit: "b", at: 8, decided: 9, image: "B", want: Moved, kind: Forward, on: "B"},
		{commit: "a", at: year2031, decided: 12, image: "A", want: Older, on: "B", mark: "b"},
		{commit: "c", at: 13, decided: 14, image: "C", want: Moved, kind: Forward, on: "C", mark: "c"},
	}},
	"2031 again, in a run of the commit itself": {runs: []run{
		{commit: "a", at: year2031, decided: 5, image: "A/1/x", want: Created, kind: Forward, on: "A/1/x"},
		{commit: "a", at: year2031, decided: 9, image: "A/1/y", want: Moved, kind: Forward, on: "A/1/y"},
		{commit: "b", at: 6, decided: 10, image: "B", want: Moved, kind: Forward, on: "B", mark: "b"},
	}},
	"the commit is there already": {runs: []run{
		{commit: "a", decided: 5, image: "A", want: Created, kind: Forward, on: "A"},
		{commit: "a", at: 5, decided: 9, image: "A", want: There, on: "A", mark: "a"},
	}},
	"a newer commit finds the image there": {runs: []run{
		{commit: "a", decided: 5, image: "A", want: Created, kind: Forward, on: "A"},
		{commit: "b", decided: 9, image: "A", want: There, on: "A", mark: "b"},
		{commit: "x", at: 7, decided: 12, image: "X", want: Older, on: "A", mark: "b"},
	}},
	"an older commit finds the image there": {runs: []run{
		{commit: "b", decided: 5, image: "A", want: Created, kind: Forward, on: "A"},
		{commit: "a", at: 2, decided: 9, image: "A", want: There, on: "A", mark: "b"},
	}},
	"a revert": {known: []string{"a<b", "b<c"}, runs: []run{
		{commit: "a", decided: 5, image: "A", want: Created, kind: Forward, on: "A"},
		{commit: "b", decided: 6, image: "B", want: Moved, kind: Forward, on: "B"},
		{commit: "c", decided: 7, image: "A", want: Moved, kind: Forward, on: "A", mark: "c"},
		{commit: "d", decided: 8, image: "B", want: Moved, kind: Forward, on: "B", mark: "d"},
	}},
	"force-push back to an older commit": {known: []string{"a<b"}, runs: []run{
		{commit: "a", decided: 5, image: "A", want: Created, kind: Forward, on: "A"},
		{commit: "b", decided: 6, image: "B", want: Moved, kind: Forward, on: "B"},
		{commit: "a", at: 5, decided: 9, image: "A", want: Older, on: "B", mark: "b"},
		{commit: "a", at: 5, decided: 10, image: "A", allow: true, want: Moved, kind: Rollback, on: "A", mark: "b"},
	}},
	"allow_rollback does not make a rollback of a newer commit": {runs: []run{
		{commit: "a", decided: 5, image: "A", want: Created, kind: Forward, on: "A"},
		{commit: "b", decided: 6, image: "B", allow: true, want: Moved, kind: Forward, on: "B", mark: "b"},
		{commit: "c", decided: 7, image: "A", want: Moved, kind: Forward, on: "A", mark: "c"},
	}},

	// Rollbacks.
	"a rollback holds the content": {runs: rolledBack(
		run{commit: "c", decided: 20, image: "B", want: HeldBack, on: "A", mark: "b"},
		run{commit: "c", decided: 21, image: "B/2", want: HeldBack, on: "A"},
		run{commit: "c", decided: 22, image: "B/1/y", want: HeldBack, on: "A", mark: "b"},
	)},
	"the fix ends it": {runs: rolledBack(
		run{commit: "c", decided: 20, image: "C", want: Moved, kind: Forward, on: "C", mark: "c"},
		run{commit: "d", decided: 21, image: "D", want: Moved, kind: Forward, on: "D", mark: "d"},
	)},
	"a revert of the fix is what was left": {runs: rolledBack(
		run{commit: "c", decided: 20, image: "C", want: Moved, kind: Forward, on: "C"},
		run{commit: "d", decided: 21, image: "B", want: HeldBack, on: "C", mark: "c"},
	)},
	"a re-run of the bad commit": {runs: rolledBack(
		run{commit: "b", at: 6, decided: 20, image: "B", want: HeldBack, on: "A", mark: "b"},
		run{commit: "b", at: 6, decided: 21, image: "B/1/forced", want: HeldBack, on: "A", mark: "b"},
	)},
	"a re-run of the good commit": {runs: rolledBack(
		run{commit: "a", at: 5, decided: 20, image: "A", want: There, on: "A", mark: "b"},
		run{commit: "a", at: 5, decided: 21, image: "A/1/forced", want: Older, on: "A", mark: "b"},
	)},
	"a retry of the rollback": {runs: rolledBack(
		run{commit: "a", at: 5, decided: 5, image: "A", allow: true, want: There, on: "A", mark: "b"},
		run{commit: "c", decided: 20, image: "B", want: HeldBack, on: "A", mark: "b"},
	)},
	"a revert finds the image there, and counts from then on": {runs: rolledBack(
		run{commit: "c", decided: 20, image: "A", want: There, on: "A", mark: "c"},
		run{commit: "x", at: 8, decided: 21, image: "X", want: Older, on: "A", mark: "c"},
		run{commit: "d", decided: 22, image: "B", want: HeldBack, on: "A", mark: "c"},
	)},
	"a second rollback": {runs: []run{
		{commit: "z", decided: 4, image: "Z", want: Created, kind: Forward, on: "Z"},
		{commit: "a", decided: 5, image: "A", want: Moved, kind: Forward, on: "A"},
		{commit: "b", decided: 6, image: "B", want: Moved, kind: Forward, on: "B"},
		{commit: "a", at: 5, decided: 5, image: "A", allow: true, want: Moved, kind: Rollback, on: "A", mark: "b"},
		{commit: "z", at: 4, decided: 4, image: "Z", allow: true, want: Moved, kind: Rollback, on: "Z", mark: "b"},
		{commit: "c", decided: 20, image: "A", want: HeldBack, on: "Z", mark: "b"},
		{commit: "d", decided: 21, image: "B", want: HeldBack, on: "Z", mark: "b"},
		{commit: "e", decided: 22, image: "E", want: Moved, kind: Forward, on: "E", mark: "e"},
	}},
	"forward on purpose": {runs: rolledBack(
		run{commit: "b", at: 6, decided: 6, image: "B", allow: true, want: Moved, kind: Forward, on: "B", mark: "b"},
		run{commit: "c", decided: 20, image: "C", want: Moved, kind: Forward, on: "C", mark: "c"},
		run{commit: "d", decided: 21, image: "B", want: Moved, kind: Forward, on: "B", mark: "d"},
	)},
	"forward on purpose, by another commit of the same content": {runs: rolledBack(
		run{commit: "c", decided: 20, image: "B/2", allow: true, want: Moved, kind: Forward, on: "B/2", mark: "c"},
		run{commit: "d", decided: 21, image: "B", want: Moved, kind: Forward, on: "B", mark: "d"},
	)},
	"forward on purpose releases only what it goes to": {runs: []run{
		{commit: "z", decided: 4, image: "Z", want: Created, kind: Forward, on: "Z"},
		{commit: "a", decided: 5, image: "A", want: Moved, kind: Forward, on: "A"},
		{commit: "b", decided: 6, image: "B", want: Moved, kind: Forward, on: "B"},
		{commit: "z", at: 4, decided: 4, image: "Z", allow: true, want: Moved, kind: Rollback, on: "Z", mark: "b"},
		{commit: "c", decided: 20, image: "C", want: Moved, kind: Forward, on: "C", mark: "c"},
		{commit: "z", at: 4, decided: 4, image: "Z", allow: true, want: Moved, kind: Rollback, on: "Z", mark: "c"},
		{commit: "c", at: 20, decided: 20, image: "C", allow: true, want: Moved, kind: Forward, on: "C"},
		{commit: "d", decided: 25, image: "B", want: HeldBack, on: "C", mark: "c"},
	}},
	"a rollback that is only about fingerprints": {runs: []run{
		{commit: "a", at: 1, decided: 5, image: "A/1", want: Created, kind: Forward, on: "A/1"},
		{commit: "a", at: 1, decided: 6, image: "A/2", want: Moved, kind: Forward, on: "A/2"},
		{commit: "a", at: 1, decided: 5, image: "A/1", allow: true, want: Moved, kind: Rollback, on: "A/1"},
		{commit: "a", at: 1, decided: 9, image: "A/2", want: HeldBack, on: "A/1"},
		{commit: "a", at: 1, decided: 10, image: "A/2/again", want: HeldBack, on: "A/1"},
		{commit: "b", at: 2, decided: 11, image: "A/2", want: HeldBack, on: "A/1", mark: "a"},
		{commit: "a", at: 1, decided: 12, image: "A/3", want: Moved, kind: Forward, on: "A/3", mark: "a"},
	}},
	"a rollback that is only about AMIs": {runs: []run{
		{commit: "a", at: 1, decided: 5, image: "A/1/x", want: Created, kind: Forward, on: "A/1/x"},
		{commit: "a", at: 1, decided: 6, image: "A/1/y", want: Moved, kind: Forward, on: "A/1/y"},
		{commit: "a", at: 1, decided: 5, image: "A/1/x", allow: true, want: Moved, kind: Rollback, on: "A/1/x"},
		{commit: "a", at: 1, decided: 9, image: "A/1/y", want: HeldBack, on: "A/1/x"},
		{commit: "b", at: 2, decided: 10, image: "A/1/y", want: HeldBack, on: "A/1/x", mark: "a"},
		{commit: "a", at: 1, decided: 11, image: "A/1/z", want: Moved, kind: Forward, on: "A/1/z", mark: "a"},
	}},
	"a rollback past a rebuild of the same content": {runs: []run{
		{commit: "a", at: 1, decided: 5, image: "A/1/x", want: Created, kind: Forward, on: "A/1/x"},
		{commit: "a", at: 1, decided: 6, image: "A/1/y", want: Moved, kind: Forward, on: "A/1/y"},
		{commit: "b", at: 2, decided: 7, image: "B", want: Moved, kind: Forward, on: "B"},
		{commit: "a", at: 1, decided: 5, image: "A/1/x", allow: true, want: Moved, kind: Rollback, on: "A/1/x", mark: "b"},
		{commit: "c", at: 3, decided: 9, image: "A/1/y", want: Moved, kind: Forward, on: "A/1/y", mark: "c"},
	}},
	"a rollback of an image without git": {runs: []run{
		{decided: 5, image: "A/1", want: Created, kind: Forward, on: "A/1"},
		{decided: 6, image: "A/2", want: Moved, kind: Forward, on: "A/2"},
		{decided: 5, image: "A/1", allow: true, want: Moved, kind: Rollback, on: "A/1"},
		{decided: 9, image: "A/2", want: HeldBack, on: "A/1"},
		{decided: 10, image: "A/3", want: Moved, kind: Forward, on: "A/3"},
	}},
	"a rollback of what was read": {runs: []run{
		{commit: "a", decided: 5, image: "A", want: Created, kind: Forward, on: "A"},
		{commit: "b", decided: 6, image: "B", want: Moved, kind: Forward, on: "B"},
		{commit: "a", at: 5, decided: 5, image: "A", allow: true, readSeq: 1, want: Changed, on: "B", mark: "b"},
		{commit: "a", at: 5, decided: 5, image: "A", allow: true, readSeq: 2, want: Moved, kind: Rollback, on: "A"},
		{commit: "a", at: 5, decided: 5, image: "A", allow: true, readSeq: 2, want: There, on: "A", mark: "b"},
	}},

	// Commits, or none.
	"without git, the later decision counts": {runs: []run{
		{decided: 5, image: "A", want: Created, kind: Forward, on: "A"},
		{decided: 9, image: "B", want: Moved, kind: Forward, on: "B"},
		{decided: 7, image: "C", want: Older, on: "B"},
	}},
	"without git where commits have moved it": {runs: []run{
		{commit: "a", decided: 5, image: "A", want: Created, kind: Forward, on: "A"},
		{decided: 9, image: "B", want: Mixed, on: "A", mark: "a"},
		{decided: 9, image: "B", allow: true, want: Moved, kind: Forward, on: "B"},
		{commit: "a", at: 5, decided: 10, image: "A", want: Mixed, on: "B"},
	}},
	"with git where runs without have moved it": {runs: []run{
		{decided: 5, image: "A", want: Created, kind: Forward, on: "A"},
		{commit: "b", decided: 9, image: "B", want: Mixed, on: "A"},
		{commit: "b", at: 9, decided: 9, image: "A", want: There, on: "A"},
		{commit: "b", decided: 9, image: "B", allow: true, want: Moved, kind: Forward, on: "B", mark: "b"},
		{commit: "c", decided: 10, image: "C", want: Moved, kind: Forward, on: "C", mark: "c"},
	}},

	// Origins.
	"another repository": {runs: []run{
		{commit: "a", decided: 5, image: "A", origin: acme, want: Created, kind: Forward, on: "A"},
		{commit: "b", decided: 9, image: "B", origin: other, want: Foreign, on: "A", mark: "a"},
		{commit: "b", decided: 9, image: "B", origin: other, allow: true, want: Foreign, on: "A", mark: "a"},
	}},
	"another folder": {runs: []run{
		{commit: "a", decided: 5, image: "A", origin: acme, want: Created, kind: Forward, on: "A"},
		{commit: "b", decided: 9, image: "B", origin: acme + "2", want: Foreign, on: "A", mark: "a"},
		{commit: "b", decided: 9, image: "B", origin: noRemote + "2", want: Foreign, on: "A", mark: "a"},
	}},
	"a repository that one side does not know": {runs: []run{
		{commit: "a", decided: 5, image: "A", origin: acme, want: Created, kind: Forward, on: "A"},
		{commit: "b", decided: 6, image: "B", origin: noRemote, want: Moved, kind: Forward, on: "B"},
		{commit: "c", decided: 7, image: "C", origin: acme, want: Moved, kind: Forward, on: "C"},
		{commit: "d", decided: 8, image: "D", want: Moved, kind: Forward, on: "D", mark: "d"},
	}},
	"a template that has moved": {runs: []run{
		{commit: "a", decided: 5, image: "A", origin: acme, want: Created, kind: Forward, on: "A"},
		{commit: "b", decided: 9, image: "B", origin: other, takeOver: "github.com/third//x", want: Foreign, on: "A"},
		{commit: "b", decided: 9, image: "B", origin: other, takeOver: acme, want: Moved, kind: Forward, on: "B"},
		{commit: "c", decided: 10, image: "C", origin: other, takeOver: acme, want: Moved, kind: Forward, on: "C"},
		{commit: "d", decided: 11, image: "D", origin: acme, want: Foreign, on: "C", mark: "c"},
	}},
	"taking over does not turn back the order": {runs: []run{
		{commit: "a", decided: 5, image: "A", origin: acme, want: Created, kind: Forward, on: "A"},
		{commit: "b", at: 3, decided: 9, image: "B", origin: other, takeOver: acme, want: Older, on: "A", mark: "a"},
	}},
	// A fork has the same content, and so the same fingerprint: it finds the image there.
	"another repository finds the image there": {runs: []run{
		{commit: "a", decided: 5, image: "A", origin: acme, want: Created, kind: Forward, on: "A"},
		{commit: "f", decided: 9, image: "A", origin: other, want: There, on: "A", mark: "a"},
		{commit: "b", decided: 8, image: "B", origin: acme, want: Moved, kind: Forward, on: "B", mark: "b"},
	}},
	"a template that has moved finds the image there": {runs: []run{
		{commit: "a", decided: 5, image: "A", origin: acme, want: Created, kind: Forward, on: "A"},
		{commit: "f", decided: 9, image: "A", origin: other, takeOver: acme, want: There, on: "A", mark: "f"},
		{commit: "b", decided: 10, image: "B", origin: acme, want: Foreign, on: "A", mark: "f"},
	}},

	// Lines.
	"a line follows whatever came last": {line: true, known: []string{"a<b"}, runs: []run{
		{commit: "b", at: 4, decided: 5, image: "B", origin: acme, want: Created, kind: Forward, on: "B", mark: "b"},
		{commit: "a", at: 3, decided: 9, image: "A", origin: acme, want: Moved, kind: Forward, on: "A", mark: "a"},
		{commit: "b", at: 4, decided: 8, image: "B", origin: other, want: Moved, kind: Forward, on: "B", mark: "b"},
		{decided: 3, image: "X", want: Moved, kind: Forward, on: "X"},
		{commit: "a", at: 3, decided: 10, image: "A", readSeq: 1, want: Moved, kind: Forward, on: "A", mark: "a"},
		{commit: "c", decided: 11, image: "A", want: There, on: "A", mark: "c"},
	}},
}

// rolledBack is a channel that went from a to b and was rolled back, and more runs.
func rolledBack(more ...run) []run {
	return append([]run{
		{commit: "a", decided: 5, image: "A", want: Created, kind: Forward, on: "A"},
		{commit: "b", decided: 6, image: "B", want: Moved, kind: Forward, on: "B", mark: "b"},
		{commit: "a", at: 5, decided: 5, image: "A", allow: true, want: Moved, kind: Rollback, on: "A", mark: "b"},
	}, more...)
}

func TestDecide(t *testing.T) {
	for name, tt := range order {
		t.Run(name, func(t *testing.T) {
			id := Name{Channel, "latest"}
			if tt.line {
				id = Name{Line, "main"}
			}
			var p *Pointer
			for i, r := range tt.runs {
				var got Result
				p, got = step(t, p, r.request(id, tt.known), fmt.Sprint("w", i))
				if got.Outcome != r.want || got.Kind != r.kind {
					t.Fatalf("run %d: got %v %q, want %v %q", i, got.Outcome, got.Kind, r.want, r.kind)
				}
				if on := p.Current().Builds[0].Run; on != r.on {
					t.Fatalf("run %d: on %s, want %s", i, on, r.on)
				}
				if r.mark != "" && p.Mark.Commit != sha(r.mark) {
					t.Errorf("run %d: the mark is not commit %s", i, r.mark)
				}
			}
		})
	}
}

// step decides, and checks what holds for every decision. It returns the pointer as it is then.
func step(t *testing.T, p *Pointer, req Request, id string) (*Pointer, Result) {
	t.Helper()
	before := encoded(t, p)
	next, got := decide(p, req, Move{WriteID: id, Change: manifest.Change{By: "ci", At: req.To.DecidedAt}})
	if diff := cmp.Diff(before, encoded(t, p)); diff != "" {
		t.Errorf("it changed the pointer that it was given:\n%s", diff)
	}
	if got.Before != p {
		t.Error("Before is another pointer")
	}
	if next == nil {
		if got.Seq != p.Seq || got.Outcome == Moved || got.Outcome == Created {
			t.Errorf("nothing to write, but %+v", got)
		}
		return p, got
	}
	seq, moves := int64(0), 0
	if p != nil {
		seq, moves = p.Seq, len(p.Moves)
	}
	if got.Outcome != There {
		moves++
	}
	if next.Seq != seq+1 || got.Seq != seq+1 || len(next.Moves) != min(moves, maxMoves) {
		t.Errorf("seq %d with %d moves, and says %d", next.Seq, len(next.Moves), got.Seq)
	}
	if got.Outcome != There && (next.WriteID != id || next.Moves[0].WriteID != id) {
		t.Error("the write is not in the pointer")
	}
	next.Schema = manifest.Schema
	if _, err := New(memstore.New()).encodePointer(next); err != nil {
		t.Error(err)
	}
	return next, got
}

func encoded(t *testing.T, p *Pointer) string {
	t.Helper()
	body, err := manifest.Encode(p)
	if err != nil {
		t.Fatal(err)
	}
	return string(body)
}

// Whatever the runs: without allow_rollback, the mark never goes back and the channel never takes
// what a rollback left.
func TestDecide_random(t *testing.T) {
	for seed := range uint64(100) {
		random := rand.New(rand.NewPCG(seed, 0))
		var p *Pointer
		for i := range 30 {
			n := 1 + random.IntN(5)
			r := run{
				commit: fmt.Sprint("c", n), at: 10 * n, decided: 100 + i - random.IntN(3), allow: random.IntN(6) == 0,
				image: fmt.Sprintf("%d/%d/%d", n/2, random.IntN(2), random.IntN(2)),
			}
			before := p
			var got Result
			p, got = step(t, p, r.request(Name{Channel, "latest"}, nil), fmt.Sprint("w", i))
			if before == nil {
				continue
			}
			if compare(p.Mark, before.Mark, nil) < 0 {
				t.Errorf("seed %d, run %d: the mark went back", seed, i)
			}
			if p.holds(p.Current()) {
				t.Errorf("seed %d, run %d: the channel is on what a rollback left", seed, i)
			}
			if !r.allow && (got.Kind == Rollback || got.Outcome == Moved && before.holds(p.Current())) {
				t.Errorf("seed %d, run %d: moved without allow_rollback: %+v", seed, i, got)
			}
		}
	}
}

// The committer's time that a move notes is what all later ones are compared with.
func TestDecide_clamps(t *testing.T) {
	var p *Pointer
	for i, r := range []run{
		{commit: "a", at: year2031, decided: 5, image: "A/1/x"},
		{commit: "a", at: year2031, decided: 9, image: "A/1/y"},
		{commit: "b", at: 7, decided: 10, image: "B"},
	} {
		p, _ = step(t, p, r.request(Name{Channel, "latest"}, nil), fmt.Sprint("w", i))
		want := map[string]time.Time{"a": minute(5), "b": minute(7)}[r.commit]
		if at := p.Moves[0].CommitTime; !at.Equal(want) || !p.Mark.CommitTime.Equal(want) {
			t.Errorf("run %d: the commit counts as of %s, the mark as of %s", i, at, p.Mark.CommitTime)
		}
	}
}

// A newer run that finds the image there leaves its commit and content, for children that look for
// them, and the manifest as it is now. The history stays as long as it was.
func TestDecide_renews(t *testing.T) {
	id := Name{Line, "main"}
	first := run{commit: "a", decided: 5, image: "A"}
	p, _ := step(t, nil, first.request(id, nil), "w1")
	req := run{commit: "b", decided: 9, image: "A"}.request(id, nil)
	req.To.Content = map[string]string{"snowflake": sha("A"), "base": sha("new")}
	req.Stored = Stored{SHA256: "newer", Manifest: &manifest.Manifest{Chain: &manifest.Chain{
		Seq: 7, Facts: manifest.Facts{Ancestors: []manifest.Ancestor{{Image: "base"}}}}}}
	next, got := step(t, p, req, "w2")
	if got.Outcome != There || len(next.Moves) != 1 || next.Moves[0].WriteID != "w1" {
		t.Errorf("got %+v", got)
	}
	if _, ok := next.OfCommit(sha("b")); !ok || next.Current().Content["base"] != sha("new") {
		t.Errorf("got %+v", next.Current())
	}
	if next.ManifestSeq != 7 || next.ManifestSHA256 != "newer" || len(next.Ancestors) != 1 {
		t.Errorf("got %+v", next)
	}
	if again, _ := decide(next, req, Move{WriteID: "w3"}); again != nil {
		t.Error("a re-run of the same commit is written")
	}
	older := first.request(id, nil)
	if again, got := decide(next, older, Move{WriteID: "w3"}); again != nil || got.Outcome != There {
		t.Errorf("a re-run of the older commit is written: %+v", got)
	}
}

// What a rollback left is remembered for a hundred rollbacks, and what holds nothing holds nothing back.
func TestDecide_held(t *testing.T) {
	first := run{commit: "first", decided: 1, image: "first"}
	p, _ := step(t, nil, first.request(latest, nil), "w")
	first.allow = true
	for i := range maxMoves + 5 {
		bad := run{commit: fmt.Sprint(i), decided: 10 + i, image: fmt.Sprint("bad", i)}
		p, _ = step(t, p, bad.request(latest, nil), fmt.Sprint("w", i))
		p, _ = step(t, p, first.request(latest, nil), fmt.Sprint("back", i))
	}
	if len(p.Held) != maxMoves {
		t.Errorf("it holds %d", len(p.Held))
	}
	for image, want := range map[string]Outcome{
		fmt.Sprint("bad", maxMoves+4): HeldBack, "bad5": HeldBack, "bad4": Moved, "fix": Moved,
	} {
		next := run{commit: "next", decided: 1000, image: image}
		if _, got := step(t, p, next.request(latest, nil), "next"); got.Outcome != want {
			t.Errorf("%s: got %v, want %v", image, got.Outcome, want)
		}
	}
	p.Held = []Held{{}, {Content: map[string]string{}}}
	if to := (run{decided: 1, image: "X"}).target(); p.holds(to) {
		t.Error("an empty entry holds an image without content")
	}
}

func TestSameOrigin(t *testing.T) {
	for _, tt := range []struct {
		a, b string
		want bool
	}{
		{acme, acme, true}, {acme, other, false}, {acme, noRemote, true}, {noRemote, acme, true},
		{acme, "", true}, {"", acme, true}, {"", "", true}, {acme, acme + "/x", false},
		{noRemote, "//x", false}, {"github.com/acme/images//", "github.com/acme/images//", true},
		{"github.com/acme/images//", acme, false}, {"//", acme, false}, {"snowflake", noRemote, true},
	} {
		if got := sameOrigin(tt.a, tt.b); got != tt.want {
			t.Errorf("%q and %q: got %v", tt.a, tt.b, got)
		}
	}
}

func TestLater(t *testing.T) {
	at := func(n int) *Pointer {
		return &Pointer{Moves: []Move{{Target: Target{Position: Position{DecidedAt: minute(n)}}}}}
	}
	early, late := at(1), at(2)
	for _, tt := range [][3]*Pointer{
		{nil, nil, nil}, {early, nil, early}, {nil, late, late}, {early, late, late}, {late, early, late},
	} {
		if got := Later(tt[0], tt[1]); got != tt[2] {
			t.Errorf("got %+v, want %+v", got, tt[2])
		}
	}
}
