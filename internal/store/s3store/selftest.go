// SPDX-License-Identifier: MPL-2.0

package s3store

import (
	"context"
	"errors"
	"fmt"
	"net/http"

	"github.com/packer-chain/packer-plugin-chain/internal/store"
)

const (
	testKey = "conditional-write-test.json"
	// madeUpTag is the tag of no object: it has the form of an MD5, but is that of no known bytes.
	madeUpTag = `"00000000000000000000000000000000"`
	testText  = `{"purpose":"shows whether this store keeps the conditions of conditional writes"}` + "\n"
)

// selfTest finds out, once for each Store, whether the bucket keeps the conditions that everything
// here rests on. Many stores do not know them, and some ignore them.
type selfTest struct {
	// races: also test with several writes at once.
	races bool

	// turn is held while the test runs, so that it runs once.
	turn chan struct{}
	done bool
	err  error
}

func newSelfTest(mode string, foreign bool) *selfTest {
	needed := mode != Off && (foreign || (mode != Auto && mode != ""))
	races := mode != Off && mode != Auto && mode != ""
	return &selfTest{races: races, turn: make(chan struct{}, 1), done: !needed}
}

// passed answers nil when the test is not needed or has passed. A verdict is kept; a fault that may
// pass is not.
func (t *selfTest) passed(ctx context.Context, s *Store) error {
	select {
	case <-ctx.Done():
		return fmt.Errorf("test %s: %w", s.Address(testKey), ctx.Err())
	case t.turn <- struct{}{}:
		defer func() { <-t.turn }()
	}
	if t.done {
		return t.err
	}
	err := s.probe(ctx)
	if err == nil && t.races {
		err = s.probeRaces(ctx)
	}
	if ctx.Err() == nil && !errors.Is(err, store.ErrTransient) {
		t.done, t.err = true, err
	}
	return err
}

// probe makes sure that the test object exists, and then sends two writes that must be refused. It may
// run in many processes at once: nobody deletes the object, and all write the same bytes.
func (s *Store) probe(ctx context.Context) error {
	body := []byte(testText)
	_, err := s.putOnce(ctx, create, testKey, body, "")
	status, _ := answerOf(err)
	switch {
	case errors.Is(err, store.ErrConflict) && status == http.StatusPreconditionFailed:
		// It exists: another process or an earlier run made it.
	case err != nil:
		return s.undecided(err)
	}
	if err := s.mustRefuse(ctx, create, body, ""); err != nil {
		return err
	}
	return s.mustRefuse(ctx, swap, body, madeUpTag)
}

func (s *Store) mustRefuse(ctx context.Context, kind kind, body []byte, tag string) error {
	_, err := s.putOnce(ctx, kind, testKey, body, tag)
	switch {
	case err == nil:
		return fmt.Errorf("test %s: %w (%s)\n\n%s",
			s.Address(testKey), ErrConditionsIgnored, kind.condition(), conditionAdvice)
	case errors.Is(err, store.ErrConflict), errors.Is(err, store.ErrVanished):
		return nil
	}
	return s.undecided(err)
}

// undecided turns what may pass into [store.ErrTransient]: whatever became of the test object, the
// object that the caller wants to write was not touched.
func (s *Store) undecided(err error) error {
	if errors.Is(err, store.ErrConflict) || errors.Is(err, store.ErrUnknown) ||
		errors.Is(err, store.ErrTransient) {
		return fmt.Errorf("test %s: %w: %s", s.Address(testKey), store.ErrTransient, err.Error())
	}
	return err
}
