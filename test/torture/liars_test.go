// SPDX-License-Identifier: MPL-2.0

package torture

import (
	"context"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/packer-chain/packer-plugin-chain/internal/store/storetest/s3server"
)

// liar is a store that does not keep the conditions of conditional writes.
type liar struct {
	name string
	make func(http.Handler) http.Handler
	// refusal is a part of the error of the self-test.
	refusal string
}

const noConditions = "the store lacks conditional writes"

var liars = []liar{
	{"ignores conditions", s3server.Unconditional,
		"the store ignores the condition of a conditional write"},
	{"refuses conditions", s3server.Unimplemented, noConditions},
	{"races", func(h http.Handler) http.Handler {
		return s3server.Racy(h, 5*time.Millisecond)
	}, "the store does not keep conditions when several writes come at once"},
}

// TestLiars wants a store that lies to be refused before anything is written. It also runs the
// workload of the other promises on each, without the self-test: the checker has to find something.
func TestLiars(t *testing.T) {
	ctx, n := begin(t)
	n.note = "refused, and the checker is red on all three, " +
		"and on writers that do not look for their own write"
	for _, l := range liars {
		n.try(t, "a store that "+l.name+" is refused", func(t *testing.T) { l.isRefused(ctx, t) })
		n.try(t, "a store that "+l.name+" is caught", func(t *testing.T) { l.isCaught(ctx, t) })
	}
	n.try(t, "writers that do not look for their own write", func(t *testing.T) {
		naiveWriters(ctx, t)
	})
}

// isRefused fails if the self-test of the plugin passes the store, or comes too late.
func (l liar) isRefused(ctx context.Context, t *testing.T) {
	behind := l.make(fakeBucket(t))
	var documents atomic.Int64
	url := serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodPut && strings.Contains(r.URL.Path, "/"+snowflake+"/") {
			documents.Add(1)
		}
		behind.ServeHTTP(w, r)
	}))
	log := &clientLog{reg: bucketOpener(t, url, bucketOptions{})()}
	if _, ok := log.publish(ctx, workload{}.facts(0, 0), 0, nil); ok {
		t.Fatal("it was taken for a good one")
	}
	text := log.ops[0].Error
	if documents.Load() > 0 {
		t.Errorf("%d writes came before the refusal", documents.Load())
	}
	if !strings.Contains(text, l.refusal) || !strings.Contains(text, "Use another store") {
		t.Errorf("the refusal is not clear: %s", text)
	}
}

// isCaught runs the workload on the store without the self-test, and fails if the checker finds
// nothing.
func (l liar) isCaught(ctx context.Context, t *testing.T) {
	url := serve(t, l.make(fakeBucket(t)))
	open := bucketOpener(t, url, bucketOptions{trusted: true})
	w := workload{Writers: 8, Publishes: 3, Control: true}
	ops, failure := w.run(ctx, open)
	v, err := w.judge(ctx, open, ops, failure)
	switch {
	case ctx.Err() != nil:
		t.Fatal(ctx.Err())
	case err == nil:
		t.Error("the checker found nothing")
	case l.refusal == noConditions:
		// Every publish fails.
		if !strings.Contains(err.Error(), l.refusal) {
			t.Error(err)
		}
	case v.Lost == 0:
		t.Errorf("the checker found no lost write: %v", err)
	}
	t.Logf("%d lost, %d duplicated, %d faults", v.Lost, v.Duplicated, len(v.Faults))
}
