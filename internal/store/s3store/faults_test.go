// SPDX-License-Identifier: MPL-2.0

package s3store

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	"github.com/packer-chain/packer-plugin-chain/internal/store"
	"github.com/packer-chain/packer-plugin-chain/internal/store/storetest"
)

// afterCommit lets the write land, and then answers in its own way.
func afterCommit(bucket http.Handler, answer http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		bucket.ServeHTTP(httptest.NewRecorder(), r)
		answer(w, r)
	}
}

func TestUpdater_lostAnswer(t *testing.T) {
	status := func(code int) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) { fail(w, code, "") }
	}
	for name, answer := range map[string]http.HandlerFunc{
		"500": status(500), "502": status(502), "503": status(503), "504": status(504),
		"409": status(409), "412": status(412), "reset": hangUp,
		"slow down": func(w http.ResponseWriter, _ *http.Request) { fail(w, 503, "SlowDown") },
	} {
		t.Run(name, func(t *testing.T) {
			bucket := fakeS3(t)
			var puts int
			_, server := serve(t, func(w http.ResponseWriter, r *http.Request) {
				if r.Method != http.MethodPut {
					bucket.ServeHTTP(w, r)
					return
				}
				puts++
				afterCommit(bucket, answer)(w, r)
			})
			updater := store.Updater{Store: amazon(t, server, Options{})}
			body, err := updater.Update(t.Context(), key, nil, storetest.Append("a"))
			if err != nil {
				t.Fatal(err)
			}
			if err := storetest.CheckLog(body, []string{"a"}); err != nil || puts != 1 {
				t.Errorf("%d writes, %v", puts, err)
			}
		})
	}
}

// faulty loses, damages and refuses one request in five, by a seed.
func faulty(bucket http.Handler, seed uint64) http.HandlerFunc {
	var mu sync.Mutex
	random := rand.New(rand.NewPCG(seed, seed))
	return func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		fault := random.IntN(35)
		mu.Unlock()
		put := r.Method == http.MethodPut
		switch {
		case fault == 0:
			fail(w, 503, "SlowDown")
		case fault == 1:
			hangUp(w, r)
		case fault == 2 && !put:
			truncated(w, r)
		case fault == 3 && put:
			fail(w, 409, "ConditionalRequestConflict")
		case (fault == 4 || fault == 5) && put:
			afterCommit(bucket, hangUp)(w, r)
		case fault == 6 && put:
			afterCommit(bucket, func(w http.ResponseWriter, _ *http.Request) {
				fail(w, 500, "InternalError")
			})(w, r)
		default:
			bucket.ServeHTTP(w, r)
		}
	}
}

func TestUpdater_manyFaults(t *testing.T) {
	const writers, updates = 8, 6
	for seed := range uint64(3) {
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
			_, server := serve(t, faulty(fakeS3(t), seed))
			ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
			defer cancel()
			s := foreign(t, server, Options{})
			var ids []string
			var all sync.WaitGroup
			for writer := range writers {
				for i := range updates {
					ids = append(ids, fmt.Sprint(writer, "-", i))
				}
				all.Go(func() {
					for i := range updates {
						id := fmt.Sprint(writer, "-", i)
						if _, err := (store.Updater{Store: s}).Update(ctx, key, nil, storetest.Append(id)); err != nil {
							t.Errorf("append %s: %v", id, err)
						}
					}
				})
			}
			all.Wait()
			object, err := s.Get(ctx, key)
			if err != nil {
				t.Fatal(err)
			}
			if err := storetest.CheckLog(object.Body, ids); err != nil {
				t.Error(err)
			}
		})
	}
}
