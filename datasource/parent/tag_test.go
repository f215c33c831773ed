// SPDX-License-Identifier: MPL-2.0

package parent

import (
	"fmt"
	"maps"
	"testing"

	"github.com/packer-chain/packer-plugin-chain/internal/ami/amitest"
)

// TestTag_trust finds an AMI by its tags, which a builder writes before anybody knows whether it
// will be published. AMIs of this plugin are found in the registry if there is one, and by tag only
// without.
func TestTag_trust(t *testing.T) {
	offline(t)
	ours := map[string]string{
		"chain:git-sha": sha1, "chain:image": "base", "chain:fingerprint": print1, "chain:manifest": "s3://acme-images/m.json"}
	without := func(key string) map[string]string {
		tags := maps.Clone(ours)
		delete(tags, key)
		return tags
	}
	const notTaken = "; not taken, as the registry does not have them or another source is wanted: " + amiHere
	registry := fmt.Sprintf("registry = %q", t.TempDir())
	for name, tt := range map[string]struct {
		tags    map[string]string
		options string
		want    string // a part of the error; empty: amiHere is found
	}{
		"published":                   {tags: ours},
		"never published":             {tags: without("chain:manifest"), want: notTaken},
		"no fingerprint":              {tags: without("chain:fingerprint"), want: notTaken},
		"of another tool":             {tags: map[string]string{"chain:git-sha": sha1}},
		"of another tool, registry":   {tags: map[string]string{"chain:git-sha": sha1}, options: registry},
		"of a registry that lacks it": {tags: ours, options: registry, want: notTaken},
		"of another image":            {tags: with(ours, "chain:image", "other"), want: "; these AMIs are of image other: " + amiHere},
	} {
		t.Run(name, func(t *testing.T) {
			id, err := fromEC2(t, fmt.Sprintf("git_sha = %q\n%s", sha1, tt.options),
				map[string][]amitest.Step{here: {amitest.Describe(amitest.Image{ID: amiHere, Tags: tt.tags})}})
			if tt.want == "" {
				wantParent(t, id, err, nil)
			} else {
				wantParent(t, id, err, []string{tt.want})
			}
		})
	}
}

// with returns a copy of the tags with another value.
func with(tags map[string]string, key, value string) map[string]string {
	changed := maps.Clone(tags)
	changed[key] = value
	return changed
}

// TestTag_source asks for a source, which no tag names. The newest AMI was taken.
func TestTag_source(t *testing.T) {
	offline(t)
	ours := map[string]string{
		"chain:git-sha": sha1, "chain:image": "base", "chain:fingerprint": print1, "chain:manifest": "s3://acme-images/m.json"}
	for name, tags := range map[string]map[string]string{"no registry": ours, "of another tool": {"chain:git-sha": sha1}} {
		t.Run(name, func(t *testing.T) {
			id, err := fromEC2(t, fmt.Sprintf("git_sha = %q\nsource = \"amazon-ebs.image\"", sha1),
				map[string][]amitest.Step{here: {amitest.Describe(amitest.Image{ID: amiHere, Tags: tags})}})
			wantParent(t, id, err, []string{"not taken, as the registry does not have them or another source is wanted: " + amiHere})
		})
	}
}
