// SPDX-License-Identifier: MPL-2.0

package torture

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// write returns an acknowledged write of the document "d".
func write(client int, id string, seq, start, end int64) op {
	return op{Client: client, Doc: "d", Start: start, End: end, Outcome: acked, ID: id, Seq: seq}
}

// read returns a read of the document "d".
func read(client int, seq, start, end int64) op {
	return op{Client: client, Doc: "d", Start: start, End: end, Outcome: seen, Seq: seq}
}

func failure(id string) op { return op{Doc: "d", Start: 1, End: 99, Outcome: failed, ID: id} }

// at returns an operation with a commit of that day.
func at(day int, o op) op {
	o.Commit = time.Date(2026, 3, day, 0, 0, 0, 0, time.UTC)
	return o
}

func chain(seq int64, ids ...string) document { return document{Seq: seq, IDs: ids} }

func TestCheckHistory(t *testing.T) {
	tests := []struct {
		name string
		in   []op
		end  document
		want verdict
	}{
		{name: "good", end: chain(3, "a", "b", "c"), in: []op{
			write(1, "a", 1, 10, 20), write(2, "b", 2, 15, 30), write(1, "c", 3, 25, 40),
			read(3, 1, 12, 18), read(3, 1, 21, 29), read(3, 2, 26, 35), read(3, 3, 41, 42)}},
		{name: "good tail", end: chain(4, "c", "d"), in: []op{
			write(1, "a", 1, 1, 2), write(1, "b", 2, 3, 4), write(1, "c", 3, 5, 6), write(1, "d", 4, 7, 8)}},
		{name: "failed and written", end: chain(2, "a", "x"),
			in: []op{write(1, "a", 1, 1, 2), failure("x")}},
		{name: "failed and not written", end: chain(1, "a"),
			in: []op{write(1, "a", 1, 1, 2), failure("x")}},
		{
			name: "lost, and the end too short", end: chain(1, "a"),
			in:   []op{write(1, "a", 1, 1, 2), write(1, "b", 2, 3, 4)},
			want: verdict{Lost: 1, Faults: []string{"d: b was acknowledged with seq 2 and does not exist"}},
		},
		{
			name: "overwritten", end: chain(2, "a", "c"),
			in: []op{write(1, "a", 1, 1, 2), write(1, "b", 2, 3, 5), write(2, "c", 2, 3, 5)},
			want: verdict{Lost: 1, Faults: []string{
				"d: 2 writes were acknowledged with seq 2",
				"d: b was acknowledged with seq 2 and does not exist"}},
		},
		{
			name: "overwritten long ago", end: chain(3, "d"),
			in: []op{write(1, "a", 1, 1, 2), write(1, "b", 2, 3, 5), write(2, "c", 2, 3, 5),
				write(2, "d", 3, 6, 7)},
			want: verdict{Lost: 1, Faults: []string{"d: 2 writes were acknowledged with seq 2"}},
		},
		{
			name: "no document", end: chain(0), in: []op{write(1, "a", 1, 1, 2)},
			want: verdict{Lost: 1, Faults: []string{"d: a was acknowledged with seq 1 and does not exist"}},
		},
		{
			name: "duplicated", end: chain(3, "a", "b", "a"),
			in:   []op{write(1, "a", 1, 1, 2), write(1, "b", 2, 3, 4), failure("a")},
			want: verdict{Duplicated: 1, Faults: []string{"d: a exists 2 times"}},
		},
		{
			name: "not where it was acknowledged", end: chain(2, "b", "a"),
			in: []op{write(1, "a", 1, 1, 9), write(2, "b", 2, 1, 9)},
			want: verdict{Faults: []string{"d: a was acknowledged with seq 1 and does not exist",
				"d: b was acknowledged with seq 2 and does not exist"}},
		},
		{
			name: "written by nobody", end: chain(2, "a", "x"), in: []op{write(1, "a", 1, 1, 2)},
			want: verdict{Faults: []string{
				"d: 1 seqs were written by nobody, with 0 writes that failed", "d: nobody wrote x"}},
		},
		{
			name: "gap long ago", end: chain(3, "c"),
			in:   []op{write(1, "a", 1, 1, 2), write(1, "c", 3, 3, 4)},
			want: verdict{Faults: []string{"d: 1 seqs were written by nobody, with 0 writes that failed"}},
		},
		{
			name: "seq behind its writes", end: chain(1, "a", "b"),
			in:   []op{write(1, "a", 0, 1, 2), write(1, "b", 1, 3, 4)},
			want: verdict{Faults: []string{"d: seq 1 with 2 writes"}},
		},
		{
			name: "against real time", end: chain(2, "a", "b"),
			in:   []op{write(1, "a", 1, 5, 6), write(2, "b", 2, 1, 2)},
			want: verdict{Faults: []string{"d: b with seq 2 ended before a write with a smaller seq began"}},
		},
		{
			name: "read before written", end: chain(1, "a"),
			in:   []op{write(1, "a", 1, 5, 6), read(2, 1, 1, 2)},
			want: verdict{Faults: []string{"d: client 2 read seq 1 before it was written"}},
		},
		{
			name: "stale read", end: chain(2, "a", "b"),
			in:   []op{write(1, "a", 1, 1, 2), write(1, "b", 2, 3, 4), read(2, 1, 5, 6)},
			want: verdict{Faults: []string{"d: client 2 read seq 1 after 2 was written"}},
		},
		{
			name: "reads run backwards", end: chain(2, "a", "b"),
			in:   []op{write(1, "a", 1, 1, 2), write(1, "b", 2, 3, 90), read(2, 2, 5, 6), read(2, 1, 7, 8)},
			want: verdict{Faults: []string{"d: client 2 read seq 1 after 2"}},
		},
		{
			name: "taken back", end: chain(2, "a", "b"),
			in:   []op{at(2, write(1, "a", 1, 1, 2)), at(1, write(2, "b", 2, 1, 2))},
			want: verdict{Faults: []string{"d: b took the channel back to an older commit"}},
		},
		{
			name: "refused rightly", end: chain(1, "a"),
			in: []op{at(2, write(1, "a", 1, 1, 2)),
				at(1, op{Client: 2, Doc: "d", Start: 2, End: 3, Outcome: refused})},
		},
		{
			name: "refused without reason", end: chain(1, "a"),
			in: []op{at(2, write(1, "a", 1, 1, 2)),
				at(2, op{Client: 2, Doc: "d", Start: 2, End: 3, Outcome: refused})},
			want: verdict{Faults: []string{"d: a move of client 2 was refused without a newer commit"}},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got := checkHistory(tt.in, map[string]document{"d": tt.end})
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("verdict (-want +got):\n%s", diff)
			}
		})
	}
}
