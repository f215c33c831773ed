// SPDX-License-Identifier: MPL-2.0

package s3server

import (
	"bytes"
	"io"
	"maps"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"strconv"
	"sync"
	"time"
)

// Faults is how many of 1,000 requests go wrong, and how. It may serve many requests at once.
type Faults struct {
	// LostAnswers of the writes land, and the connection breaks before the response.
	LostAnswers int
	// FailedAfter of the writes land, and get a 500.
	FailedAfter int
	// Conflicts of the writes get a 409, and do not land.
	Conflicts int
	// Unavailable of all requests get a 503, and do nothing.
	Unavailable int
	// Cut of the reads lose the second half of their body.
	Cut int
	// Random decides which requests go wrong.
	Random *rand.Rand

	mu   sync.Mutex
	hits map[string]int
}

// Before puts the faults in front of a bucket.
func (f *Faults) Before(bucket http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch f.next(r.Method == http.MethodPut) {
		case "unavailable":
			Fail(w, http.StatusServiceUnavailable, "SlowDown")
		case "conflict":
			Fail(w, http.StatusConflict, "ConditionalRequestConflict")
		case "lost answer":
			bucket.ServeHTTP(httptest.NewRecorder(), r)
			panic(http.ErrAbortHandler)
		case "failed after":
			bucket.ServeHTTP(httptest.NewRecorder(), r)
			Fail(w, http.StatusInternalServerError, "InternalError")
		case "cut":
			cut(w, r, bucket)
		default:
			bucket.ServeHTTP(w, r)
		}
	})
}

// Hits returns how many faults happened so far, by kind.
func (f *Faults) Hits() map[string]int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return maps.Clone(f.hits)
}

// next draws what goes wrong with a request, or "".
func (f *Faults) next(put bool) string {
	type fault struct {
		kind string
		rate int
	}
	kinds := []fault{{"unavailable", f.Unavailable}}
	if put {
		kinds = append(kinds,
			fault{"lost answer", f.LostAnswers}, fault{"failed after", f.FailedAfter},
			fault{"conflict", f.Conflicts})
	} else {
		kinds = append(kinds, fault{"cut", f.Cut})
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	drawn := f.Random.IntN(1000)
	for _, k := range kinds {
		if drawn < k.rate {
			if f.hits == nil {
				f.hits = map[string]int{}
			}
			f.hits[k.kind]++
			return k.kind
		}
		drawn -= k.rate
	}
	return ""
}

// cut announces the whole body, sends half of it, and hangs up.
func cut(w http.ResponseWriter, r *http.Request, bucket http.Handler) {
	whole := httptest.NewRecorder()
	bucket.ServeHTTP(whole, r)
	for name, values := range whole.Header() {
		w.Header()[name] = values
	}
	body := whole.Body.Bytes()
	w.Header().Set("Content-Length", strconv.Itoa(len(body)))
	w.WriteHeader(whole.Code)
	_, _ = w.Write(body[:len(body)/2])
	if flusher, ok := w.(http.Flusher); ok {
		flusher.Flush()
	}
	panic(http.ErrAbortHandler)
}

// Slow delays each request by a random time from shortest to longest.
func Slow(bucket http.Handler, shortest, longest time.Duration, random *rand.Rand) http.Handler {
	var mu sync.Mutex
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		wait := shortest + time.Duration(random.Int64N(int64(longest-shortest)+1))
		mu.Unlock()
		time.Sleep(wait)
		bucket.ServeHTTP(w, r)
	})
}

// Unconditional returns a store that ignores conditions.
func Unconditional(bucket http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		bucket.ServeHTTP(w, withoutConditions(r))
	})
}

// Racy returns a store that checks conditions, but writes only after gap, in a second step.
func Racy(bucket http.Handler, gap time.Duration) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodPut && !conditionsHold(bucket, r) {
			Fail(w, http.StatusPreconditionFailed, "PreconditionFailed")
			return
		}
		if r.Method == http.MethodPut {
			// The body is read first, so that the gap is one of the store and not of the network.
			body, err := io.ReadAll(r.Body)
			if err != nil {
				panic(http.ErrAbortHandler)
			}
			r.Body = io.NopCloser(bytes.NewReader(body))
			time.Sleep(gap)
		}
		bucket.ServeHTTP(w, withoutConditions(r))
	})
}

// conditionsHold reports whether the conditions of the request hold at this moment.
func conditionsHold(bucket http.Handler, r *http.Request) bool {
	response := httptest.NewRecorder()
	bucket.ServeHTTP(response, httptest.NewRequest(http.MethodHead, r.URL.String(), nil))
	found := response.Code == http.StatusOK
	if r.Header.Get("If-None-Match") != "" && found {
		return false
	}
	match := r.Header.Get("If-Match")
	return match == "" || (found && response.Header().Get("ETag") == match)
}

// Unimplemented returns a store that refuses conditions with 501.
func Unimplemented(bucket http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("If-Match") != "" || r.Header.Get("If-None-Match") != "" {
			Fail(w, http.StatusNotImplemented, "NotImplemented")
			return
		}
		bucket.ServeHTTP(w, r)
	})
}

func withoutConditions(r *http.Request) *http.Request {
	plain := r.Clone(r.Context())
	plain.Header.Del("If-Match")
	plain.Header.Del("If-None-Match")
	return plain
}
