// SPDX-License-Identifier: MPL-2.0

package store

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"
)

// Outcome is what is known of a write that failed.
type Outcome string

const (
	// NotWritten means that the write was refused, was never sent, or can no longer land, because
	// another writer changed the object first.
	NotWritten Outcome = "not written"
	// Unknown means that the write was sent and got no response: it has landed, or may still land.
	Unknown Outcome = "unknown"
)

// UpdateError is the failure of an Update.
type UpdateError struct {
	// Address is the full address of the object.
	Address string
	// Attempts counts the rounds of read, edit and write, from 1.
	Attempts int
	Elapsed  time.Duration
	Outcome  Outcome
	// Err is the last cause. It wraps the error of the context if that ended the Update.
	Err error
}

// Error returns the object, the outcome, the effort and the cause, and if possible what to do.
func (e *UpdateError) Error() string {
	text := fmt.Sprintf("update %s: %s", e.Address, e.Outcome)
	if e.Outcome == Unknown {
		text = fmt.Sprintf("update %s: outcome unknown", e.Address)
	}
	if e.Attempts > 1 {
		elapsed := e.Elapsed.Round(100 * time.Millisecond)
		text += fmt.Sprintf(" after %d attempts in %s", e.Attempts, elapsed)
	}
	text += ": " + e.cause()
	advice := e.advice()
	switch {
	case advice == "":
		return text
	case strings.Contains(text, "\n\n"):
		return text + " " + advice
	}
	return text + "\n\n" + advice
}

// Unwrap returns the cause.
func (e *UpdateError) Unwrap() error { return e.Err }

// cause returns the text of the cause, without what Error has said by then.
func (e *UpdateError) cause() string {
	again := strings.NewReplacer("read "+e.Address+": ", "", "write "+e.Address+": ", "",
		ErrUnknown.Error()+": ", "")
	return again.Replace(e.Err.Error())
}

func (e *UpdateError) advice() string {
	switch {
	case e.Outcome == Unknown:
		return "The write may have landed or not. Run it again: a write that has landed is recognised."
	case errors.Is(e.Err, ErrVanished):
		return "Nothing was written. Find out what deletes it, such as a lifecycle rule or a clean-up " +
			"job, and run it again, which creates it anew."
	case errors.Is(e.Err, context.DeadlineExceeded) && errors.Is(e.Err, ErrConflict):
		return "Other writers keep changing it. Run it again, or allow more time."
	}
	return ""
}
