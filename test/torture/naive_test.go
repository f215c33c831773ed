// SPDX-License-Identifier: MPL-2.0

package torture

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/packer-chain/packer-plugin-chain/internal/store"
	"github.com/packer-chain/packer-plugin-chain/internal/store/storetest/s3server"
)

// naiveKey is a document with one id on each line.
const naiveKey = "naive.txt"

// naiveWriters write as if responses were never lost: read, add a line, write on condition that
// nothing changed, and all of that again if it failed. On a bucket that loses responses, the
// checker has to find lines that exist twice.
func naiveWriters(ctx context.Context, t *testing.T) {
	behind := fakeBucket(t)
	faults := &s3server.Faults{LostAnswers: 200, Random: random(t)}
	faulty := serve(t, faults.Before(behind))
	var mu sync.Mutex
	var ops []op
	var failure error
	var all sync.WaitGroup
	for client := range 4 {
		s := openStore(t, faulty, bucketOptions{trusted: true})
		all.Go(func() {
			own, err := naiveWriter(ctx, s, client)
			mu.Lock()
			defer mu.Unlock()
			ops, failure = append(ops, own...), errors.Join(failure, err)
		})
	}
	all.Wait()
	if failure != nil {
		t.Fatal(failure)
	}
	object, err := openStore(t, serve(t, behind), bucketOptions{trusted: true}).Get(ctx, naiveKey)
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Fields(string(object.Body))
	v := checkHistory(ops, map[string]document{"naive": {Seq: int64(len(lines)), IDs: lines}})
	if v.Duplicated == 0 {
		t.Error("the checker found no duplicate")
	}
	t.Logf("%d duplicated", v.Duplicated)
}

func naiveWriter(ctx context.Context, s store.Store, client int) (ops []op, err error) {
	for round := range 8 {
		id := fmt.Sprintf("%d-%d", client, round)
		o := op{Client: client, Doc: "naive", ID: id, Start: now(), Outcome: acked}
		for {
			object, err := s.Get(ctx, naiveKey)
			if err != nil && !errors.Is(err, store.ErrNotFound) {
				return ops, err
			}
			body := slices.Concat(object.Body, []byte(o.ID+"\n"))
			if _, err = s.Put(ctx, naiveKey, body, object.ETag); err == nil {
				o.Seq = int64(strings.Count(string(body), "\n"))
				break
			}
			if ctx.Err() != nil {
				return ops, ctx.Err()
			}
		}
		o.End = now()
		ops = append(ops, o)
	}
	return ops, nil
}
