// SPDX-License-Identifier: MPL-2.0

package store_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/packer-chain/packer-plugin-chain/internal/store"
	"github.com/packer-chain/packer-plugin-chain/internal/store/storetest"
	"github.com/packer-chain/packer-plugin-chain/internal/store/storetest/memstore"
)

const key = "base/refs/latest.json"

var errDenied = errors.New("access denied")

// scripted is a store in memory that puts in a word before each call.
type scripted struct {
	*memstore.Store
	// get and put return what to fail with, or nil to go on. Calls count from 1.
	get, put   func(ctx context.Context, call int) error
	gets, puts int
}

func (s *scripted) Get(ctx context.Context, key string) (store.Object, error) {
	s.gets++
	if s.get != nil {
		if err := s.get(ctx, s.gets); err != nil {
			return store.Object{}, fmt.Errorf("read %s: %w", s.Address(key), err)
		}
	}
	object, err := s.Store.Get(ctx, key)
	if len(object.Body) == 0 {
		object.Body = nil
	}
	return object, err
}

func (s *scripted) Put(ctx context.Context, key string, body []byte, tag string) (string, error) {
	s.puts++
	if s.put != nil {
		if err := s.put(ctx, s.puts); err != nil {
			return "", fmt.Errorf("write %s: %w", s.Address(key), err)
		}
	}
	return s.Store.Put(ctx, key, body, tag)
}

func filled(t *testing.T, ids ...string) *scripted {
	t.Helper()
	s := &scripted{Store: memstore.New()}
	for _, id := range ids {
		if _, err := (store.Updater{Store: s.Store}).Update(t.Context(), key, nil, storetest.Append(id)); err != nil {
			t.Fatal(err)
		}
	}
	return s
}

func wantIDs(t *testing.T, s *scripted, ids ...string) {
	t.Helper()
	object, err := s.Store.Get(t.Context(), key)
	if err != nil {
		t.Fatal(err)
	}
	if err := storetest.CheckLog(object.Body, ids); err != nil {
		t.Error(err)
	}
}

func wantUpdateError(t *testing.T, err error, outcome store.Outcome, text string) {
	t.Helper()
	var got *store.UpdateError
	if !errors.As(err, &got) {
		t.Fatalf("error %v, want an UpdateError", err)
	}
	if got.Outcome != outcome {
		t.Errorf("outcome %q, want %q", got.Outcome, outcome)
	}
	if diff := cmp.Diff(text, err.Error()); diff != "" {
		t.Errorf("text (-want +got):\n%s", diff)
	}
}

func TestUpdater_Update(t *testing.T) {
	s := &scripted{Store: memstore.New()}
	updater := store.Updater{Store: s}
	body, err := updater.Update(t.Context(), key, nil, func(current []byte) ([]byte, error) {
		if current != nil {
			t.Errorf("the edit got %q for an absent object, want nil", current)
		}
		return []byte{}, nil
	})
	if err != nil || string(body) != "" {
		t.Fatalf("body %q, error %v", body, err)
	}
	body, err = updater.Update(t.Context(), key, nil, func(current []byte) ([]byte, error) {
		if current == nil {
			t.Error("the edit got nil for an empty object")
		}
		return []byte("{}"), nil
	})
	if err != nil || string(body) != "{}" {
		t.Fatalf("body %q, error %v", body, err)
	}
}

func TestUpdater_Update_unchanged(t *testing.T) {
	s := filled(t, "a")
	body, err := store.Updater{Store: s}.Update(t.Context(), key, nil, storetest.Append("a"))
	if err != nil || storetest.CheckLog(body, []string{"a"}) != nil {
		t.Errorf("body %q, error %v", body, err)
	}
	if s.puts != 0 {
		t.Errorf("%d writes, want none", s.puts)
	}
}

func TestUpdater_Update_editFails(t *testing.T) {
	s := filled(t, "a")
	want := errors.New("corrupt")
	_, err := store.Updater{Store: s}.Update(t.Context(), key, nil, func([]byte) ([]byte, error) { return nil, want })
	if err != want { //nolint:errorlint // it must be the very error
		t.Errorf("error %v, want the one of the edit as it is", err)
	}
	if s.gets != 1 || s.puts != 0 {
		t.Errorf("%d reads and %d writes, want 1 and 0", s.gets, s.puts)
	}
}

func TestUpdater_Update_repeats(t *testing.T) {
	for _, fault := range []error{store.ErrConflict, store.ErrUnknown, store.ErrTransient} {
		t.Run(fault.Error(), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := filled(t, "a")
				failing := func(_ context.Context, call int) error {
					if call <= 20 {
						return fault
					}
					return nil
				}
				s.put = failing
				if !errors.Is(fault, store.ErrConflict) {
					s.get = failing
				}
				if _, err := (store.Updater{Store: s}).Update(t.Context(), key, nil, storetest.Append("b")); err != nil {
					t.Fatal(err)
				}
				wantIDs(t, s, "a", "b")
			})
		})
	}
}

func TestUpdater_Update_permanent(t *testing.T) {
	s := filled(t, "a")
	s.put = func(context.Context, int) error { return fmt.Errorf("%w\n\n%s", errDenied, "Ask for s3:PutObject.") }
	_, err := store.Updater{Store: s}.Update(t.Context(), key, nil, storetest.Append("b"))
	wantUpdateError(t, err, store.NotWritten, "update memory://base/refs/latest.json: not written: "+
		"access denied\n\nAsk for s3:PutObject.")
	if s.puts != 1 {
		t.Errorf("%d writes, want 1", s.puts)
	}
}

// A read that fails for good after a lost answer leaves the outcome open.
func TestUpdater_Update_unknown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := filled(t, "a")
		s.put = func(context.Context, int) error { return store.ErrUnknown }
		s.get = func(_ context.Context, call int) error {
			if call > 1 {
				return errDenied
			}
			return nil
		}
		_, err := store.Updater{Store: s, Backoff: noWait}.Update(t.Context(), key, nil, storetest.Append("b"))
		wantUpdateError(t, err, store.Unknown, "update memory://base/refs/latest.json: "+
			"outcome unknown after 2 attempts in 0s: access denied\n\n"+
			"The write may have landed or not. Run it again: a write that has landed is recognised.")
	})
}

var noWait = store.Backoff{Rand: func(time.Duration) time.Duration { return 0 }}

func TestUpdater_Update_vanished(t *testing.T) {
	const advice = "deleted by someone else while it was being changed\n\nNothing was written. Find out what " +
		"deletes it, such as a lifecycle rule or a clean-up job, and run it again, which creates it anew."
	t.Run("before the write", func(t *testing.T) {
		s := filled(t, "a")
		s.put = func(context.Context, int) error { s.Delete(key); return nil }
		_, err := store.Updater{Store: s}.Update(t.Context(), key, nil, storetest.Append("b"))
		wantUpdateError(t, err, store.NotWritten, "update memory://base/refs/latest.json: not written: "+
			advice)
	})
	t.Run("before the second read", func(t *testing.T) {
		s := filled(t, "a")
		s.put = func(context.Context, int) error { s.Delete(key); return store.ErrConflict }
		_, err := store.Updater{Store: s, Backoff: noWait}.Update(t.Context(), key, nil, storetest.Append("b"))
		wantUpdateError(t, err, store.NotWritten, "update memory://base/refs/latest.json: "+
			"not written after 2 attempts in 0s: "+advice)
		if _, err := s.Get(t.Context(), key); !errors.Is(err, store.ErrNotFound) {
			t.Errorf("the object was created anew: %v", err)
		}
	})
}

func TestUpdater_Update_deadline(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
		defer cancel()
		s := filled(t, "a")
		s.put = func(context.Context, int) error { return store.ErrConflict }
		longest := store.Backoff{Rand: func(limit time.Duration) time.Duration { return limit }}
		_, err := store.Updater{Store: s, Backoff: longest}.Update(ctx, key, nil, storetest.Append("b"))
		wantUpdateError(t, err, store.NotWritten, "update memory://base/refs/latest.json: not written "+
			"after 941 attempts in 5m0s: context deadline exceeded: "+
			"changed by another writer\n\n"+
			"Other writers keep changing it. Run it again, or allow more time.")
		if !errors.Is(err, context.DeadlineExceeded) || !errors.Is(err, store.ErrConflict) {
			t.Errorf("the error wraps not both the deadline and the conflict: %v", err)
		}
	})
}

// cancelledInWrite is an Update whose context ends while its only write waits for an answer.
func cancelledInWrite(t *testing.T, landed bool, lastRead error) (*scripted, error) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	s := filled(t, "a")
	s.put = func(_ context.Context, _ int) error {
		if landed {
			if _, err := (store.Updater{Store: s.Store}).Update(t.Context(), key, nil, storetest.Append("b")); err != nil {
				t.Error(err)
			}
		}
		cancel()
		return fmt.Errorf("%w: %w", store.ErrUnknown, context.Canceled)
	}
	s.get = func(ctx context.Context, call int) error {
		if call == 1 {
			return nil
		}
		if ctx.Err() != nil {
			t.Error("the last read has a context that has ended")
		}
		if deadline, ok := ctx.Deadline(); !ok || time.Until(deadline) != 800*time.Millisecond {
			t.Errorf("the last read has until %v, want 800 ms", deadline)
		}
		return lastRead
	}
	_, err := store.Updater{Store: s}.Update(ctx, key, nil, storetest.Append("b"))
	if s.gets != 2 {
		t.Errorf("%d reads, want 2", s.gets)
	}
	return s, err
}

func TestUpdater_Update_cancelledInWrite(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, err := cancelledInWrite(t, true, nil)
		if err != nil {
			t.Errorf("error %v, want none: the write had landed", err)
		}
		wantIDs(t, s, "a", "b")

		// A store may finish a write whose client has gone: that it is missing so far proves nothing.
		s, err = cancelledInWrite(t, false, nil)
		wantUpdateError(t, err, store.Unknown, "update memory://base/refs/latest.json: outcome unknown: "+
			"it does not contain the write; the last attempt: "+
			"context canceled\n\n"+
			"The write may have landed or not. Run it again: a write that has landed is recognised.")
		wantIDs(t, s, "a")

		_, err = cancelledInWrite(t, true, store.ErrTransient)
		wantUpdateError(t, err, store.Unknown, "update memory://base/refs/latest.json: outcome unknown: "+
			"context canceled\n\n"+
			"The write may have landed or not. Run it again: a write that has landed is recognised.")
	})
}

// A server whose disk was full answered each write with an error that tells nothing of its outcome.
// The user read that the write was missing, and nothing of the disk.
func TestUpdater_Update_namesTheCause(t *testing.T) {
	full := errors.New("storage full")
	for name, tt := range map[string]struct {
		lastRead error
		before   string
	}{
		"read":          {nil, "it does not contain the write; the last attempt: "},
		"not even read": {store.ErrTransient, ""},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
				defer cancel()
				s := filled(t, "a")
				s.put = func(context.Context, int) error { return fmt.Errorf("%w: %w", store.ErrUnknown, full) }
				s.get = func(context.Context, int) error {
					if ctx.Err() != nil {
						return tt.lastRead
					}
					return nil
				}
				_, err := store.Updater{Store: s}.Update(ctx, key, nil, storetest.Append("b"))
				want := ": " + tt.before + "context deadline exceeded: " +
					"storage full\n\nThe write may have landed or not."
				if err == nil || !strings.Contains(err.Error(), want) || !errors.Is(err, full) {
					t.Errorf("got  %v\nwant %q in it", err, want)
				}
			})
		})
	}
}

// A write whose response was lost cannot land any more once another writer has changed the object.
func TestUpdater_Update_overtaken(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		s := filled(t, "a")
		s.put = func(context.Context, int) error {
			if _, err := (store.Updater{Store: s.Store}).Update(t.Context(), key, nil, storetest.Append("c")); err != nil {
				t.Error(err)
			}
			cancel()
			return store.ErrUnknown
		}
		_, err := store.Updater{Store: s}.Update(ctx, key, nil, storetest.Append("b"))
		wantUpdateError(t, err, store.NotWritten, "update memory://base/refs/latest.json: not written: "+
			"it does not contain the write; the last attempt: "+
			"outcome unknown")
		wantIDs(t, s, "a", "c")
	})
}

// The answer to a write was lost, and a later attempt was refused without a look at the condition: the
// first may still land. That was called "not written".
func TestUpdater_Update_unknownStays(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := filled(t, "a")
		s.put = func(_ context.Context, call int) error {
			if call == 1 {
				return store.ErrUnknown
			}
			return errDenied
		}
		_, err := store.Updater{Store: s, Backoff: noWait}.Update(t.Context(), key, nil, storetest.Append("b"))
		wantUpdateError(t, err, store.Unknown, "update memory://base/refs/latest.json: "+
			"outcome unknown after 2 attempts in 0s: access denied\n\n"+
			"The write may have landed or not. Run it again: a write that has landed is recognised.")
	})
}

// The last read had 5 seconds on top of a deadline that was over.
func TestUpdater_Update_hangsPastDeadline(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		s := filled(t, "a")
		s.put = func(ctx context.Context, _ int) error { <-ctx.Done(); return store.ErrUnknown }
		s.get = func(ctx context.Context, call int) error {
			if call == 1 {
				return nil
			}
			<-ctx.Done()
			return store.ErrTransient
		}
		before := time.Now()
		_, err := store.Updater{Store: s}.Update(ctx, key, nil, storetest.Append("b"))
		if took := time.Since(before); took != time.Minute+800*time.Millisecond {
			t.Errorf("took %s, want the limit of 1m and less than a second", took)
		}
		var failed *store.UpdateError
		if !errors.As(err, &failed) || failed.Outcome != store.Unknown {
			t.Errorf("error %v, want an unknown outcome", err)
		}
	})
}

// A context that ends before the write keeps the write from being sent.
func TestUpdater_Update_cancelledInEdit(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	s := filled(t, "a")
	_, err := store.Updater{Store: s}.Update(ctx, key, nil, func([]byte) ([]byte, error) {
		cancel()
		return []byte("{}"), nil
	})
	wantUpdateError(t, err, store.NotWritten,
		"update memory://base/refs/latest.json: not written: context canceled")
	if s.puts != 0 {
		t.Errorf("%d writes, want none", s.puts)
	}
}
