// SPDX-License-Identifier: MPL-2.0

package s3store

import (
	"net/http"
	"testing"
	"time"
)

// Runs on machines whose clocks differ share that of the store, which every response tells: also the one
// to the first read of an image that does not exist yet.
func TestStore_Now(t *testing.T) {
	sent := func(ahead time.Duration) string { return time.Now().Add(ahead).UTC().Format(http.TimeFormat) }
	at := func(date string, next http.HandlerFunc) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			w.Header()["Date"] = []string{date}
			if date == "" {
				w.Header()["Date"] = nil // The server adds no other.
			}
			next(w, r)
		}
	}
	answer := func(status int, code string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) { fail(w, status, code) }
	}
	for name, tt := range map[string]struct {
		in    http.HandlerFunc
		ahead time.Duration
	}{
		"200 ahead":          {at(sent(time.Hour), whole), time.Hour},
		"200 behind":         {at(sent(-2*time.Minute), whole), -2 * time.Minute},
		"404":                {at(sent(time.Hour), answer(404, "NoSuchKey")), time.Hour},
		"404 empty":          {at(sent(-time.Hour), answer(404, "")), -time.Hour},
		"403":                {at(sent(time.Hour), answer(403, "AccessDenied")), time.Hour},
		"503, then 200":      {inTurn(at(sent(time.Hour), answer(503, "SlowDown")), at(sent(time.Minute), whole)), time.Minute},
		"no date":            {at("", whole), 0},
		"404 without a date": {at("", answer(404, "NoSuchKey")), 0},
		"no date any more":   {inTurn(at(sent(time.Hour), answer(503, "SlowDown")), at("", whole)), time.Hour},
		"a damaged date":     {at("yesterday", whole), 0},
	} {
		t.Run(name, func(t *testing.T) {
			_, server := serve(t, tt.in)
			s := amazon(t, server, Options{})
			if off := time.Since(s.Now()); off < 0 || off > time.Minute/2 {
				t.Errorf("before the first response, it is %s behind this machine", off)
			}
			_, _ = s.Get(t.Context(), key)
			// A date has whole seconds.
			if off := time.Until(s.Now()) - tt.ahead; off < -10*time.Second || off > time.Second {
				t.Errorf("got %s from this machine, want %s", time.Until(s.Now()), tt.ahead)
			}
		})
	}
}
