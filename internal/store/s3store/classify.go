// SPDX-License-Identifier: MPL-2.0

package s3store

import (
	"cmp"
	"errors"
	"fmt"
	"net/http"

	"github.com/packer-chain/packer-plugin-chain/internal/awserror"
	"github.com/packer-chain/packer-plugin-chain/internal/store"
)

// The permanent errors. They are for the user: callers compare only those of package store.
var (
	errCredentials       = errors.New("no valid AWS credentials")
	errExpired           = errors.New("the AWS credentials have expired")
	errNoBucket          = errors.New("bucket does not exist")
	errWrongRegion       = errors.New("wrong region")
	errNoConditions      = errors.New("the store lacks conditional writes")
	errConditionsIgnored = errors.New("the store ignores the condition of a conditional write")
	errConditionsRefused = errors.New("the store refuses a write whose condition holds")
	errConditionsRacy    = errors.New(
		"the store does not keep conditions when several writes come at once")
	errForeign    = errors.New("another server than an S3 store answered")
	errRefused    = errors.New("the request was refused")
	errUnexpected = errors.New("unexpected response")
	errUnsent     = errors.New("the request could not be sent")
	errNoTag      = errors.New("the response has no ETag\n\n" + foreignAdvice)
)

const conditionAdvice = "Without conditional writes two builds that publish at once may lose a " +
	"manifest. Use another store, or set conditional_writes = \"off\" where only one build " +
	"publishes at a time."

const foreignAdvice = "Check the endpoint, and whether a proxy or a login page answers for it."

// kind is what a request does.
type kind int

const (
	read kind = iota
	// create writes an object that must not exist yet, with If-None-Match.
	create
	// swap writes an object that must not have changed, with If-Match.
	swap
	// overwrite writes without a condition.
	overwrite
)

func (k kind) condition() string {
	switch k {
	case create:
		return "If-None-Match"
	case swap:
		return "If-Match"
	case read, overwrite:
	}
	return "no condition"
}

// asks is what the request asks of AWS.
func (k kind) asks() awserror.Kind {
	switch k {
	case read:
		return awserror.Read
	case swap:
		return awserror.Replace
	case create, overwrite:
	}
	return awserror.Create
}

// request is what classify needs to know of a request.
type request struct {
	kind kind
	// lists is true if it reads what keys there are.
	lists   bool
	address string
	// owner is true if the request names the account that must own the bucket.
	owner bool
}

// verdict is what a failure means, and what the user can do if that is not in package awserror.
type verdict struct {
	means  error
	advice string
}

// classify turns an error of the SDK into one of package store, or a permanent one.
func (r request) classify(err error) error {
	f := failureOf(err)
	v := r.judge(f)
	if f.after > 0 && errors.Is(v.means, store.ErrTransient) {
		err = &store.LaterError{After: f.after, Err: err}
	}
	verb := "write"
	switch {
	case r.lists:
		verb = "list"
	case r.kind == read:
		verb = "read"
	}
	known := awserror.Request{Kind: r.kind.asks(), Region: f.region, Owner: r.owner}
	if advice := cmp.Or(v.advice, known.Advice(err)); advice != "" {
		return fmt.Errorf("%s %s: %w: %w\n\n%s", verb, r.address, v.means, err, advice)
	}
	return fmt.Errorf("%s %s: %w: %w", verb, r.address, v.means, err)
}

// judge is the whole table: "Error responses" of the Amazon S3 API reference, "Conditional writes"
// of its user guide, and the observed responses of other stores.
func (r request) judge(f failure) verdict {
	switch {
	case f.expired:
		return verdict{means: errExpired}
	case f.credentials && f.passing:
		return verdict{means: store.ErrTransient}
	case f.credentials:
		return verdict{means: errCredentials}
	case f.foreign && f.status == http.StatusProxyAuthRequired:
		return verdict{means: errForeign}
	case f.foreign && r.kind != read && f.status < 300:
		return verdict{store.ErrUnknown, foreignAdvice}
	case f.foreign:
		return verdict{errForeign, foreignAdvice}
	case f.status == 0:
		return r.judgeSilence(f)
	case f.cut && r.wroteNothing(f.status):
		return verdict{means: store.ErrTransient}
	case f.code == "NoSuchBucket":
		return verdict{means: errNoBucket}
	case f.misdirected():
		return verdict{means: errWrongRegion}
	case f.skewed, f.throttled(), f.resend():
		return verdict{means: store.ErrTransient}
	case f.status == http.StatusNotImplemented || f.code == "NotImplemented":
		if r.kind == create || r.kind == swap {
			return verdict{errNoConditions, conditionAdvice}
		}
		return verdict{means: errUnexpected}
	case f.badKey():
		return verdict{means: errCredentials}
	case f.lacksNoRight():
		return verdict{means: errRefused}
	case f.status == http.StatusForbidden || f.status == http.StatusUnauthorized:
		return verdict{means: store.ErrDenied}
	case r.kind == read:
		return r.judgeRead(f)
	}
	return r.judgeWrite(f)
}

// wroteNothing reports whether the status alone shows that nothing was written. Then the request
// may be sent again, to learn the code.
func (r request) wroteNothing(status int) bool {
	switch status {
	case http.StatusConflict, http.StatusPreconditionFailed, http.StatusRequestTimeout:
		return r.kind == read
	}
	return r.kind == read || (status >= 400 && status < 500)
}

func (r request) judgeRead(f failure) verdict {
	switch {
	case f.status == http.StatusNotFound && (f.code == "NoSuchKey" || f.code == "NotFound"):
		return verdict{means: store.ErrNotFound}
	case f.status == http.StatusNotFound:
		return verdict{errUnexpected, "Check that the endpoint is the one of an S3 store."}
	case f.status < 300, f.status >= 500,
		f.status == http.StatusConflict, f.status == http.StatusRequestTimeout:
		return verdict{means: store.ErrTransient}
	}
	return verdict{means: errRefused}
}

func (r request) judgeWrite(f failure) verdict {
	switch {
	case f.status == http.StatusPreconditionFailed, f.status == http.StatusConflict:
		return verdict{means: store.ErrConflict}
	case f.status == http.StatusNotFound && r.kind == swap:
		return verdict{means: store.ErrVanished}
	case f.status == http.StatusNotFound:
		return verdict{errUnexpected, "Check that the endpoint is the one of an S3 store."}
	case f.status < 300, f.status >= 500, f.status == http.StatusRequestTimeout:
		return verdict{means: store.ErrUnknown}
	}
	return verdict{means: errRefused}
}

// judgeSilence is for a request without a response.
func (r request) judgeSilence(f failure) verdict {
	switch {
	case f.unreachable:
		return verdict{means: errUnsent}
	case f.unsent && f.passing:
		return verdict{means: store.ErrTransient}
	case f.unsent:
		return verdict{means: errUnsent}
	case r.kind == read:
		return verdict{means: store.ErrTransient}
	}
	return verdict{means: store.ErrUnknown}
}
