// SPDX-License-Identifier: MPL-2.0

package s3store

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"sync"

	"github.com/packer-chain/packer-plugin-chain/internal/store"
)

const (
	raceKey = "conditional-race-test.json"
	// With 4 rounds of 8 writers a store that lets a second writer through in one round of three is found
	// out in four cases of five; one that only looks at conditions, nearly always.
	raceRounds  = 4
	raceWriters = 8
)

// probeRaces sends several writes at once, of which only one may be taken. It cannot prove a store right.
func (s *Store) probeRaces(ctx context.Context) error {
	tag, err := s.raceObject(ctx)
	for round := 0; err == nil && round < raceRounds; round++ {
		tag, err = s.race(ctx, tag)
	}
	if err != nil && !errors.Is(err, ErrConditionsRacy) {
		return s.undecided(err)
	}
	return err
}

// raceObject answers the tag of the object, which it makes where there is none.
func (s *Store) raceObject(ctx context.Context) (string, error) {
	object, err := s.Get(ctx, raceKey)
	if !errors.Is(err, store.ErrNotFound) {
		return object.ETag, err
	}
	return s.putOnce(ctx, create, raceKey, raceBody(), "")
}

// race has writers replace the same version of the object. It answers the tag of the one that was
// taken. Another process may run the same test: then it may be none of ours.
func (s *Store) race(ctx context.Context, tag string) (string, error) {
	var all sync.WaitGroup
	taken := make(chan string, raceWriters)
	for range raceWriters {
		all.Go(func() {
			if next, err := s.putOnce(ctx, swap, raceKey, raceBody(), tag); err == nil {
				taken <- next
			}
		})
	}
	all.Wait()
	switch len(taken) {
	case 0:
		return s.raceObject(ctx)
	case 1:
		return <-taken, nil
	}
	return "", fmt.Errorf("test %s: %w (%d of %d at once)\n\n%s",
		s.Address(raceKey), ErrConditionsRacy, len(taken), raceWriters, conditionAdvice)
}

// raceBody is another one each time: a tag must never come back.
func raceBody() []byte {
	return []byte(`{"purpose":"shows whether this store takes one write at a time","id":"` + rand.Text() + "\"}\n")
}
