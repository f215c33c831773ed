// SPDX-License-Identifier: MPL-2.0

package store

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/packer-chain/packer-plugin-chain/internal/retry"
)

// lastReadTimeout limits the read that finds out, after ctx has ended, whether the last write
// landed. It keeps an Update from running on for more than a second after its deadline or Ctrl-C.
const lastReadTimeout = 800 * time.Millisecond

// ErrUnchanged is what an edit returns if the object is already as it should be.
var ErrUnchanged = errors.New("nothing to change")

// errNotSeen means that the last read after a lost response showed nothing of the write.
var errNotSeen = errors.New("it does not contain the write")

// Updater changes objects by read, edit and compare-and-swap, until it succeeds or its context
// ends. It never gives up after a number of attempts: with many writers that would lose builds.
type Updater struct {
	Store Store
	// Notify, if set, is called with what Update waits for, after 2 seconds and then every 5. The
	// calls come from another goroutine, and never after Update has returned.
	Notify func(msg string)
	// Backoff is the wait between two attempts.
	Backoff Backoff
}

// Update changes the object of a key with edit, and returns its new body.
//
// If first is not nil, the first round uses it instead of reading: it is what the caller has read,
// with an empty ETag if there was no object. If it is out of date, the write loses its race like
// any other.
//
// edit gets the present body, nil if the object does not exist, and returns the new one. It is
// called again after every lost race and every lost response, so it must recognise its own earlier
// write and then return [ErrUnchanged]. Any other error of edit ends the Update and is returned as
// it is. All other failures are an [*UpdateError].
func (u Updater) Update(
	ctx context.Context, key string, first *Object, edit func(current []byte) ([]byte, error),
) (body []byte, err error) {
	t := &update{store: u.Store, key: key, first: first, edit: edit, started: time.Now()}
	watch := retry.NewWatch(u.Notify, "no response yet from "+u.Store.Address(key))
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

// update is one Update under way.
type update struct {
	store   Store
	key     string
	first   *Object // nil once it was used
	edit    func([]byte) ([]byte, error)
	started time.Time
	// attempts counts the rounds of read, edit and write.
	attempts int
	// seen is set once the object exists: if it is missing later, it was deleted.
	seen bool
	// unsettled is set after a write whose response was lost. It may still land, as long as the
	// object has the ETag in pendingETag.
	unsettled   bool
	pendingETag string
	// cause is why the last round was repeated, or would have been.
	cause error
}

// editError distinguishes an error of edit from those of the store.
type editError struct{ err error }

func (e *editError) Error() string { return e.err.Error() }

func (t *update) once(ctx context.Context) ([]byte, error) {
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
		t.unsettled, t.pendingETag = true, current.ETag
	}
	return next, err
}

// read returns an empty Object if it does not exist.
func (t *update) read(ctx context.Context) (Object, error) {
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

// get returns first, once, and after that what the store has.
func (t *update) get(ctx context.Context) (Object, error) {
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

// settledBy notes that the object was read with that ETag, empty if it does not exist.
func (t *update) settledBy(etag string) { t.unsettled = t.unsettled && etag == t.pendingETag }

// settle ends an Update that failed, and finds out whether its last write landed nevertheless. What
// its error says last is the last real cause, and not what was looked up afterwards.
func (t *update) settle(ctx context.Context, err error) ([]byte, error) {
	stopped := ctx.Err()
	if stopped != nil && t.cause != nil && errors.Is(err, stopped) {
		err = fmt.Errorf("%w: %w", stopped, t.cause)
	}
	if stopped != nil && t.unsettled {
		body, late := t.lookAgain(ctx)
		if late == nil {
			return body, nil
		}
		if !t.unsettled || errors.Is(late, errNotSeen) {
			err = fmt.Errorf("%w; the last attempt: %w", late, err)
		}
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

// lookAgain returns the body if it contains the write whose response was lost, and otherwise why
// not.
func (t *update) lookAgain(ctx context.Context) ([]byte, error) {
	last, cancel := context.WithTimeout(context.WithoutCancel(ctx), lastReadTimeout)
	defer cancel()
	current, err := t.read(last)
	if err != nil {
		return nil, err
	}
	if _, err := t.edit(current.Body); errors.Is(err, ErrUnchanged) {
		return current.Body, nil
	}
	return nil, fmt.Errorf("read %s: %w", t.store.Address(t.key), errNotSeen)
}

// passing reports whether an error may be gone in the next round.
func passing(err error) bool {
	return errors.Is(err, ErrConflict) || errors.Is(err, ErrUnknown) || errors.Is(err, ErrTransient)
}
