// SPDX-License-Identifier: MPL-2.0

package store_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/packer-chain/packer-plugin-chain/internal/store"
	"github.com/packer-chain/packer-plugin-chain/internal/store/storetest"
)

func TestUpdater_Notify(t *testing.T) {
	const lost = "write memory://base/refs/latest.json: changed by another writer"
	tests := []struct {
		name string
		in   func(ctx context.Context, call int) error
		want []string
	}{
		{
			name: "no wait",
			in:   func(context.Context, int) error { return nil },
		},
		{
			name: "short wait",
			in:   func(context.Context, int) error { time.Sleep(1900 * time.Millisecond); return nil },
		},
		{
			name: "stuck in one call",
			in:   func(context.Context, int) error { time.Sleep(8 * time.Second); return nil },
			want: []string{
				"still trying after 2s: no response yet from memory://base/refs/latest.json",
				"still trying after 7s: no response yet from memory://base/refs/latest.json",
			},
		},
		{
			name: "lost races",
			in:   func(context.Context, int) error { return store.ErrConflict },
			want: []string{
				"still trying after 2s: " + lost, "still trying after 7s: " + lost,
				"still trying after 12s: " + lost, "still trying after 17s: " + lost,
			},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
				defer cancel()
				s := filled(t, "a")
				s.put = tt.in
				var got []string
				updater := store.Updater{Store: s, Notify: func(msg string) { got = append(got, msg) }}
				_, _ = updater.Update(ctx, key, nil, storetest.Append("b"))
				if diff := cmp.Diff(tt.want, got); diff != "" {
					t.Errorf("notices (-want +got):\n%s", diff)
				}
			})
		})
	}
}
