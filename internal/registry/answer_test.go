// SPDX-License-Identifier: MPL-2.0

package registry

import (
	"fmt"
	"strings"
	"testing"

	"github.com/packer-chain/packer-plugin-chain/internal/manifest"
	"github.com/packer-chain/packer-plugin-chain/internal/store/storetest/memstore"
)

// An image that is built again and again drops its oldest entries, and never outgrows the limit. It did,
// and could not be published any more.
func TestPublish_overLimit(t *testing.T) {
	reg := New(memstore.New())
	big := func(run, source string) []manifest.Entry {
		e := entry(run, source)
		e.CustomData = map[string]string{"notes": strings.Repeat("n", 450_000)}
		return []manifest.Entry{e}
	}
	for run := range 4 {
		stored, err := reg.Publish(t.Context(), facts(fp1), big(fmt.Sprint("run", run), "app"), nil)
		if err != nil {
			t.Fatal(err)
		}
		if current := stored.Manifest.Current(); len(current) != 1 || current[0].PackerRunUUID != fmt.Sprint("run", run) {
			t.Fatalf("run %d is not current", run)
		}
	}
	var err error
	of := facts(fp1)
	of.Sources = []string{"amazon-ebs.app", "amazon-ebs.source0", "amazon-ebs.source1", "amazon-ebs.source2", "amazon-ebs.source3"}
	for source := 0; source < 4 && err == nil; source++ {
		_, err = reg.Publish(t.Context(), of, big("run9", fmt.Sprint("source", source)), nil)
	}
	want := "write memory://snowflake/builds/" + fp1 + ".json: document is too large: 135"
	if err == nil || !strings.HasPrefix(err.Error(), want) || !strings.Contains(err.Error(), "make several images of it") {
		t.Errorf("error %v, want %s…", err, want)
	}
	if stored, err := reg.Manifest(t.Context(), image, fp1); err != nil || len(stored.Manifest.Builds) != 2 {
		t.Errorf("the document is not as it was: %v", err)
	}
}
