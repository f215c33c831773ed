// SPDX-License-Identifier: MPL-2.0

package store

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/packer-chain/packer-plugin-chain/internal/retry"
)

// lastReadTimeout limits the read that finds out, after ctx has ended, whether the last write landed. It is
// what an Update may take beyond its deadline, or beyond Ctrl-C; with what the rest takes, less than a second.
const lastReadTimeout = 800 * time.Millisecond

// ErrUnchanged is what an edit answers when the object is already as it should be.
var ErrUnchanged = errors.New("nothing to change")

// errNotThere means that the last read after a lost answer showed nothing of the write.
var errNotThere = errors.New("the write is not there")

// Updater changes objects by reading, editing and compare-and-swap, until it succeeds or its context
// ends. It never gives up after a number of tries: with many writers that would lose builds.
type Updater struct {
	Store Store
	// Notify, where set, is told what Update waits for: after 2 seconds, then every 5. It is called
	// from another goroutine, and never after Update has returned.
	Notify func(msg string)
	// Backoff is the wait between two attempts.
	Backoff Backoff
}

// Update changes the object of a key with edit, and returns the body that it has afterwards.
//
// If first is not nil, it is what the caller read already, with an empty ETag if there was no
// object; the first round uses it instead of reading. If it is out of date, the write loses its
// race like any other.
//
// The edit gets the present body, nil when there is no object, and answers the new one. It is called
// anew after every lost race and every lost answer, so it must recognise its own earlier write and
// then answer [ErrUnchanged]. Any other error of it stops at once and is handed on as it is; every
// other failure is an [*UpdateError].
func (u Updater) Update(
	ctx context.Context, key string, first *Object, edit func(current []byte) ([]byte, error),
) (body []byte, err error) {
	t := &try{store: u.Store, key: key, first: first, edit: edit, started: time.Now()}
	watch := retry.NewWatch(u.Notify, "no answer yet from "+u.Store.Address(key))
	defer watch.Stop()
	for {
		body, err := t.once(ctx)
		var own *editError
		switch {
		case err == nil:
			return body, nil
		case errors.As(err, &own):
			return nil, own.err
		case ctx.Err() == nil && passing(err):
			t.cause = err
			watch.Because(err.Error())
		default:
			return t.settle(ctx, err)
		}
		if stopped := u.Backoff.Wait(ctx, t.attempts, err); stopped != nil {
			return t.settle(ctx, stopped)
		}
	}
}

// try is one Update under way.
type try struct {
	store   Store
	key     string
	first   *Object // nil once it was used
	edit    func([]byte) ([]byte, error)
	started time.Time
	// attempts counts the rounds of read, edit and write.
	attempts int
	// seen: the object was there, so its absence from now on is a deletion.
	seen bool
	// unsettled: the answer to a write was lost, and it may still land: nobody has changed the object since,
	// which would have made its condition, the ETag in under, fail.
	unsettled bool
	under     string
	// cause is why the last round but one had to be repeated.
	cause error
}

// editError sets an error of the edit apart from those of the store.
type editError struct{ err error }

func (e *editError) Error() string { return e.err.Error() }

func (t *try) once(ctx context.Context) ([]byte, error) {
	t.attempts++
	current, err := t.read(ctx)
	if err != nil {
		return nil, err
	}
	next, err := t.edit(current.Body)
	if errors.Is(err, ErrUnchanged) {
		return current.Body, nil
	}
	if err != nil {
		return nil, &editError{err}
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	_, err = t.store.Put(ctx, t.key, next, current.ETag)
	if errors.Is(err, ErrUnknown) {
		t.unsettled, t.under = true, current.ETag
	}
	return next, err
}

// read answers an empty Object when there is none.
func (t *try) read(ctx context.Context) (Object, error) {
	object, err := t.get(ctx)
	switch {
	case errors.Is(err, ErrNotFound):
		t.settledBy("")
		if t.seen {
			return Object{}, fmt.Errorf("read %s: %w", t.store.Address(t.key), ErrVanished)
		}
		return Object{}, nil
	case err != nil:
		return Object{}, err
	}
	t.seen = true
	t.settledBy(object.ETag)
	if object.Body == nil {
		object.Body = []byte{}
	}
	return object, nil
}

// get returns first, once, and else what the store has.
func (t *try) get(ctx context.Context) (Object, error) {
	first := t.first
	t.first = nil
	switch {
	case first == nil:
		return t.store.Get(ctx, t.key)
	case first.ETag == "":
		return Object{}, ErrNotFound
	}
	return *first, nil
}

// settledBy notes that the object was read with that ETag, empty where there is none.
func (t *try) settledBy(etag string) { t.unsettled = t.unsettled && etag == t.under }

// settle ends an Update that failed, and finds out whether its last write landed nevertheless.
func (t *try) settle(ctx context.Context, err error) ([]byte, error) {
	stopped := ctx.Err()
	switch {
	case stopped != nil && t.unsettled:
		body, late := t.lookAgain(ctx)
		if late == nil {
			return body, nil
		}
		if !t.unsettled || errors.Is(late, errNotThere) {
			err = fmt.Errorf("%w: %w", stopped, late)
		}
	case stopped != nil && t.cause != nil && errors.Is(err, stopped):
		err = fmt.Errorf("%w: %w", stopped, t.cause)
	}
	outcome := NotWritten
	if t.unsettled {
		outcome = Unknown
	}
	return nil, &UpdateError{
		Address: t.store.Address(t.key), Attempts: t.attempts, Elapsed: time.Since(t.started),
		Outcome: outcome, Err: err,
	}
}

// lookAgain answers the body when it holds the write whose answer was lost, and else why not.
func (t *try) lookAgain(ctx context.Context) ([]byte, error) {
	last, cancel := context.WithTimeout(context.WithoutCancel(ctx), lastReadTimeout)
	defer cancel()
	current, err := t.read(last)
	if err != nil {
		return nil, err
	}
	if _, err := t.edit(current.Body); errors.Is(err, ErrUnchanged) {
		return current.Body, nil
	}
	return nil, fmt.Errorf("read %s: %w", t.store.Address(t.key), errNotThere)
}

// passing tells whether an error may be gone in the next round.
func passing(err error) bool {
	return errors.Is(err, ErrConflict) || errors.Is(err, ErrUnknown) || errors.Is(err, ErrTransient)
}
