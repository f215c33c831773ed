// SPDX-License-Identifier: MPL-2.0

package s3store

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"sync"

	"github.com/packer-chain/packer-plugin-chain/internal/store"
)

const (
	// madeUpTag is not the tag of any object: it has the form of an MD5, but no known bytes have it.
	madeUpTag = `"00000000000000000000000000000000"`
	// A store that lets a second writer through in one round of three passes 4 rounds in one case of
	// five, and 10 rounds in one of sixty. A pass is remembered, so 10 rounds are worth the requests.
	raceRounds  = 10
	raceWriters = 8
)

// selfTest finds out whether the bucket keeps the conditions that everything here is built on. Many
// stores do not know them, some ignore them, and some check them too early. A Store needs it once:
// the test runs unless the bucket remembers a pass, see [testDocument].
type selfTest struct {
	// turn is held during the read and the test, so that both happen once.
	turn chan struct{}
	done bool
	err  error
}

func newSelfTest(mode string, foreign bool) *selfTest {
	needed := mode != Off && (foreign || (mode != Auto && mode != ""))
	return &selfTest{turn: make(chan struct{}, 1), done: !needed}
}

// Prepare reads whether the store has passed the self-test, concurrently with other reads, so that
// the first Put need not wait for it. It writes nothing.
func (s *Store) Prepare(ctx context.Context) error { return s.test.settle(ctx, s, false) }

// passed returns nil if the test is not needed, or has passed now or earlier. The result is kept,
// except for a fault that may pass.
func (t *selfTest) passed(ctx context.Context, s *Store) error { return t.settle(ctx, s, true) }

// settle looks for a pass that counts. If there is none, it runs the test if test is true.
func (t *selfTest) settle(ctx context.Context, s *Store, test bool) error {
	select {
	case <-ctx.Done():
		return fmt.Errorf("test %s: %w", s.Address(testKey), ctx.Err())
	case t.turn <- struct{}{}:
		defer func() { <-t.turn }()
	}
	if t.done {
		return t.err
	}
	known, err := s.hasPassed(ctx)
	if err == nil && !known {
		if !test {
			return nil
		}
		err = s.probe(ctx)
	}
	if ctx.Err() == nil && !errors.Is(err, store.ErrTransient) {
		t.done, t.err = true, err
	}
	return err
}

// probe writes one object in every way in which the registry writes: as a new one and as a changed
// one, with a condition that holds and with one that does not, alone and concurrently. It may run
// in many processes at once, and it finds faults but proves nothing. Nobody deletes the object.
//
// A pass is remembered only if each round replaced what the round before wrote. So nobody else
// wrote in between, and every round was a race that one writer won.
func (s *Store) probe(ctx context.Context) error {
	created, undisturbed, err := s.race(ctx, create, "")
	if err != nil {
		return err
	}
	for _, refused := range []struct {
		kind kind
		tag  string
	}{{create, ""}, {swap, madeUpTag}} {
		if err := s.mustRefuse(ctx, refused.kind, refused.tag); err != nil {
			return err
		}
	}
	if len(created) > 1 {
		return s.unfit(errConditionsRacy, create)
	}
	tag := ""
	if len(created) == 1 {
		tag = created[0]
	}
	for range raceRounds {
		if tag, err = s.mustAcceptOne(ctx, tag); err != nil {
			return err
		}
		undisturbed = undisturbed && tag != ""
	}
	if undisturbed {
		s.remember(ctx, tag)
	}
	return nil
}

// race sends several writes under one condition, and returns the tags of those that were accepted.
// It is sure of them if every other write was refused: one that failed may have been accepted.
func (s *Store) race(
	ctx context.Context, kind kind, tag string,
) (accepted []string, sure bool, err error) {
	var mu sync.Mutex
	var failures []error
	var all sync.WaitGroup
	for range raceWriters {
		all.Go(func() {
			next, err := s.putOnce(ctx, kind, testKey, testDocument{}.body(), tag)
			mu.Lock()
			defer mu.Unlock()
			switch {
			case err == nil:
				accepted = append(accepted, next)
			case !refused(err):
				failures = append(failures, err)
			}
		})
	}
	all.Wait()
	if len(accepted) == 0 && len(failures) > 0 {
		return nil, false, s.undecided(failures[0])
	}
	sure = !slices.ContainsFunc(failures, func(err error) bool {
		return !errors.Is(err, store.ErrConflict)
	})
	return accepted, sure, nil
}

// mustTakeOne has writers replace the version of the object that tag names, or with an empty tag
// the present one. It returns the tag of the next version. The tag is empty if the round shows
// little: a write failed, or another process wrote the object, which may run the same test.
func (s *Store) mustAcceptOne(ctx context.Context, tag string) (next string, err error) {
	if tag == "" {
		if tag, err = s.present(ctx); err != nil {
			return "", err
		}
	}
	accepted, sure, err := s.race(ctx, swap, tag)
	switch {
	case err != nil:
		return "", err
	case len(accepted) > 1:
		return "", s.unfit(errConditionsRacy, swap)
	case len(accepted) == 1 && sure:
		return accepted[0], nil
	case len(accepted) == 1:
		return "", nil
	}
	if next, err = s.present(ctx); err == nil && next == tag {
		return "", s.unfit(errConditionsRefused, swap)
	}
	return "", err
}

func (s *Store) present(ctx context.Context) (tag string, err error) {
	object, err := s.Get(ctx, testKey)
	return object.ETag, s.undecided(err)
}

func (s *Store) mustRefuse(ctx context.Context, kind kind, tag string) error {
	_, err := s.putOnce(ctx, kind, testKey, testDocument{}.body(), tag)
	switch {
	case err == nil:
		return s.unfit(errConditionsIgnored, kind)
	case refused(err):
		return nil
	}
	return s.undecided(err)
}

// refused reports whether a write was refused because of its condition. A 409 only means that it
// met another write.
func refused(err error) bool {
	status, _ := responseOf(err)
	return status == http.StatusPreconditionFailed || errors.Is(err, store.ErrVanished)
}

func (s *Store) unfit(why error, kind kind) error {
	return fmt.Errorf(
		"test %s: %w (%s)\n\n%s", s.Address(testKey), why, kind.condition(), conditionAdvice)
}

// undecided turns a fault that may pass into [store.ErrTransient]: even if the test object was
// written, the object that the caller wants to write was not touched.
func (s *Store) undecided(err error) error {
	if errors.Is(err, store.ErrConflict) || errors.Is(err, store.ErrUnknown) {
		return fmt.Errorf("test %s: %w: %s", s.Address(testKey), store.ErrTransient, err.Error())
	}
	return err
}
