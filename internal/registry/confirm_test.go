// SPDX-License-Identifier: MPL-2.0

package registry

import (
	"context"
	"testing"

	"github.com/packer-chain/packer-plugin-chain/internal/manifest"
	"github.com/packer-chain/packer-plugin-chain/internal/store/storetest/memstore"
)

// forgetful takes a write, and soon puts back what was there before it: another write under the
// same condition has replaced it.
type forgetful struct {
	*memstore.Store
	doubts bool
	forget int
}

func (f *forgetful) Doubtful() bool { return f.doubts }

func (f *forgetful) Put(ctx context.Context, key string, body []byte, tag string) (string, error) {
	before, _ := f.Get(ctx, key)
	next, err := f.Store.Put(ctx, key, body, tag)
	if err == nil && f.forget > 0 && before.ETag != "" {
		f.forget--
		_, err = f.Store.Put(ctx, key, before.Body, next)
	}
	return next, err
}

// A store took two writes under one condition, after it had passed the self-test: the publication
// succeeded, and its entry was lost.
func TestConfirm(t *testing.T) {
	for name, tt := range map[string]struct {
		doubts bool
		want   int
	}{"a store that is trusted": {false, 1}, "a store that is not": {true, 2}} {
		t.Run(name, func(t *testing.T) {
			s := &forgetful{Store: memstore.New(), doubts: tt.doubts}
			reg := New(s)
			publish := func(run string) {
				t.Helper()
				entries := []manifest.Entry{entry(run, "app")}
				stored, err := reg.Publish(t.Context(), facts(fp1), entries, nil)
				if err != nil {
					t.Fatal(err)
				}
				if stored, err = reg.Confirm(t.Context(), facts(fp1), entries, stored); err != nil {
					t.Fatal(err)
				}
				if len(stored.Manifest.Missing(entries)) > 0 {
					t.Errorf("%s is not in what was confirmed", run)
				}
			}
			publish("run1")
			s.forget = 2
			publish("run2")
			stored, err := reg.Manifest(t.Context(), image, fp1)
			if err != nil || len(stored.Manifest.Builds) != tt.want {
				t.Errorf("%d entries, %v, want %d", len(stored.Manifest.Builds), err, tt.want)
			}
		})
	}
}
