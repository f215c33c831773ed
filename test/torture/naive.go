// SPDX-License-Identifier: MPL-2.0

package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"

	"github.com/packer-chain/packer-plugin-chain/internal/store"
	"github.com/packer-chain/packer-plugin-chain/internal/store/storetest/s3server"
)

// naiveKey is a document with one id on each line.
const naiveKey = "naive.txt"

// naiveWriters write as one would without a thought of lost answers: read, add a line, write under the condition
// that nothing changed, and all of that again when it failed. On a bucket that loses answers the checker has to
// find lines that are there twice; it answers how many.
func naiveWriters(ctx context.Context, r *Run) (string, error) {
	behind, err := fakeBucket()
	if err != nil {
		return "", err
	}
	faulty, stop := serve((&s3server.Faults{LostAnswers: 200, Random: r.Random(1)}).Before(behind))
	defer stop()
	var mu sync.Mutex
	var ops []op
	var failure error
	var all sync.WaitGroup
	for client := range 4 {
		s, err := openStore(ctx, faulty, bucketOptions{trusted: true})
		if err != nil {
			return "", err
		}
		all.Go(func() {
			own, err := naiveWriter(ctx, s, client)
			mu.Lock()
			defer mu.Unlock()
			ops, failure = append(ops, own...), errors.Join(failure, err)
		})
	}
	all.Wait()
	if failure != nil {
		return "", failure
	}
	sound, stopSound := serve(behind)
	defer stopSound()
	s, err := openStore(ctx, sound, bucketOptions{trusted: true})
	if err != nil {
		return "", err
	}
	object, err := s.Get(ctx, naiveKey)
	if err != nil {
		return "", err
	}
	lines := strings.Fields(string(object.Body))
	v := checkHistory(ops, map[string]document{"naive": {Seq: int64(len(lines)), IDs: lines}})
	if v.Duplicated == 0 {
		return "", errors.New("writers that do not look for their own write: the checker found no duplicate")
	}
	return fmt.Sprintf("%d duplicated", v.Duplicated), nil
}

func naiveWriter(ctx context.Context, s store.Store, client int) (ops []op, err error) {
	for round := range 8 {
		o := op{Client: client, Doc: "naive", ID: fmt.Sprintf("%d-%d", client, round), Start: now(), Outcome: acked}
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
