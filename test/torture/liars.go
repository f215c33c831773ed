// SPDX-License-Identifier: MPL-2.0

package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync/atomic"
	"time"

	"github.com/packer-chain/packer-plugin-chain/internal/store/storetest/s3server"
)

// liar is a store that does not keep the conditions of conditional writes.
type liar struct {
	name string
	make func(http.Handler) http.Handler
	// refusal is the text of the self-test.
	refusal string
}

const noConditions = "the store lacks conditional writes"

var liars = []liar{
	{
		"ignores conditions", s3server.Unconditional,
		"the store ignores the condition of a conditional write",
	},
	{"refuses conditions", s3server.Unimplemented, noConditions},
	{
		"races", func(h http.Handler) http.Handler { return s3server.Racy(h, 5*time.Millisecond) },
		"the store does not keep conditions when several writes come at once",
	},
}

// promiseLiars wants a store that lies to be refused before anything is written. And it lets the workload
// of the other promises loose on each, without the self-test: the checker has to find something.
func promiseLiars(ctx context.Context, r *Run) (Result, error) {
	var result Result
	for _, l := range liars {
		result.Tried += 2
		if err := l.isRefused(ctx); err != nil {
			return result, fmt.Errorf("a store that %s: %w", l.name, err)
		}
		found, err := l.isCaught(ctx)
		if err != nil {
			return result, fmt.Errorf("a store that %s: %w", l.name, err)
		}
		r.Logf("a store that %s: %s", l.name, found)
	}
	found, err := naiveWriters(ctx, r)
	if err != nil {
		return result, err
	}
	result.Tried++
	r.Logf("writers that do not look for their own write: %s", found)
	result.Note = "refused, and the checker is red on all three, and on writers that do not look for their own write"
	return result, nil
}

// isRefused tells what is wrong when the self-test of the plugin lets a store pass, or comes too late.
func (l liar) isRefused(ctx context.Context) error {
	behind, err := fakeBucket()
	if err != nil {
		return err
	}
	var documents atomic.Int64
	url, stop := serve(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodPut && strings.Contains(r.URL.Path, "/"+image+"/") {
			documents.Add(1)
		}
		l.make(behind).ServeHTTP(w, r)
	}))
	defer stop()
	reg, err := openBucket(ctx, url, bucketOptions{})
	if err != nil {
		return err
	}
	log := &clientLog{reg: reg}
	if _, ok := log.publish(ctx, workload{}.fingerprint(0, 0), 0); ok {
		return errors.New("it was taken for a good one")
	}
	text := log.ops[0].Error
	if documents.Load() > 0 {
		return fmt.Errorf("%d writes came before the refusal", documents.Load())
	}
	if !strings.Contains(text, l.refusal) || !strings.Contains(text, "Use another store") {
		return fmt.Errorf("the refusal is not clear: %s", text)
	}
	return nil
}

// isCaught runs the workload on the store without the self-test, and answers what the checker found.
func (l liar) isCaught(ctx context.Context) (string, error) {
	behind, err := fakeBucket()
	if err != nil {
		return "", err
	}
	url, stop := serve(l.make(behind))
	defer stop()
	w := workload{Writers: 8, Publishes: 3, Control: true}
	v, err := w.try(ctx, bucketOpener(ctx, url, bucketOptions{trusted: true}))
	switch {
	case ctx.Err() != nil:
		return "", ctx.Err()
	case err == nil:
		return "", errors.New("the checker found nothing")
	case l.refusal == noConditions:
		if !strings.Contains(err.Error(), l.refusal) {
			return "", err
		}
		return "every publish fails", nil
	case v.Lost == 0:
		return "", fmt.Errorf("the checker found no lost write: %w", err)
	}
	return fmt.Sprintf("%d lost, %d duplicated, %d faults", v.Lost, v.Duplicated, len(v.Faults)), nil
}
