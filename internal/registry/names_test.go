// SPDX-License-Identifier: MPL-2.0

package registry

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"github.com/packer-chain/packer-plugin-chain/internal/store"
	"github.com/packer-chain/packer-plugin-chain/internal/store/storetest/memstore"
)

// deaf is a store that may not be listed.
type deaf struct{ *memstore.Store }

func (deaf) List(context.Context, string, string) ([]string, error) {
	return nil, errors.New("access denied")
}

// none is a store that cannot list.
type none struct{ store.Store }

func TestSimilar(t *testing.T) {
	mem := memstore.New()
	keys := []string{
		"runtime/channels/production.json", "runtime/channels/latest.json", "runtime/builds/" + fp1 + ".json",
		"base/builds/" + fp1 + ".json", "evil $(x)/builds/x.json", "runtime/channels/evil $(x).json", ".test/x",
	}
	for i := range 20 {
		keys = append(keys, fmt.Sprintf("many/channels/c%02d.json", i))
	}
	for _, key := range keys {
		if _, err := mem.Put(t.Context(), key, []byte("{}"), ""); err != nil {
			t.Fatal(err)
		}
	}
	for _, tt := range []struct {
		store          store.Store
		image, channel string
		want           string
	}{
		{mem, "runtme", "latest", "The registry has no image runtme. Did you mean runtime? It has runtime, base, many. "},
		{mem, "somethingelse", "", "The registry has no image somethingelse. It has runtime, base, many. "},
		{mem, "runtime", "prodution", "Image runtime has no channel prodution. Did you mean production? It has production, latest. "},
		{mem, "base", "latest", "Image base has no channels yet. "},
		{mem, "runtime", "latest", ""},
		{mem, "runtime", "", ""},
		{mem, "many", "c1", "Image many has no channel c1. Did you mean c01? It has c01, c10, c11, c12, c13, c14, c15, c16, c17, c18 and others. "},
		{memstore.New(), "runtime", "latest", ""},
		{deaf{mem}, "runtme", "latest", ""},
		{none{mem}, "runtme", "latest", ""},
	} {
		if got := New(tt.store).Similar(t.Context(), tt.image, tt.channel).Text; got != tt.want {
			t.Errorf("%s, %s: got %q, want %q", tt.image, tt.channel, got, tt.want)
		}
	}
}

func TestDistance(t *testing.T) {
	for _, tt := range []struct {
		a, b string
		want int
	}{{"", "", 0}, {"", "abc", 3}, {"abc", "", 3}, {"runtme", "runtime", 1}, {"base", "bsae", 2}, {"kitten", "sitting", 3}} {
		if got := distance(tt.a, tt.b); got != tt.want {
			t.Errorf("%q to %q is %d, want %d", tt.a, tt.b, got, tt.want)
		}
	}
}
