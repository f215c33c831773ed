// SPDX-License-Identifier: MPL-2.0

package parent

import (
	"fmt"
	"testing"

	"github.com/packer-chain/packer-plugin-chain/internal/access"
	"github.com/packer-chain/packer-plugin-chain/internal/ami/amitest"
	"github.com/packer-chain/packer-plugin-chain/internal/manifest"
)

// TestTag_manifest finds an AMI by its tags, and asks the registry what it is worth. It was asked only whether it has a
// complete build of that fingerprint: an AMI that was tagged and never published, or withdrawn, or revoked in the
// manifest, was taken.
func TestTag_manifest(t *testing.T) {
	offline(t)
	first, again := baked("1", map[string]string{here: amiHere}), baked("2", map[string]string{here: amiThere})
	elsewhere := baked("1", map[string]string{there: amiHere})
	good, revoked, partly := chain(print1), chain(print1), chain(print1)
	revoked.Revoked, partly.Sources = "bad kernel", []string{"amazon-ebs.image", "amazon-ebs.arm64"}
	const passed = "no available AMI in " + here + " with tag chain:git-sha = " + sha1 +
		" that belongs to self; passed over, as not published, not current or of another source: "
	tests := map[string]struct {
		facts     manifest.Chain
		entries   []manifest.Entry
		withdrawn []manifest.Entry
		amis      []string // newest first
		options   string
		want      string // a part of the error; empty: amiHere is found
	}{
		"the newest was never published": {facts: good, entries: []manifest.Entry{first}, amis: []string{amiThere, amiHere}},
		"none was ever published":        {facts: good, entries: []manifest.Entry{first}, amis: []string{amiThere}, want: passed + amiThere},
		"published in another region":    {facts: good, entries: []manifest.Entry{elsewhere}, amis: []string{amiHere}, want: passed + amiHere},
		"built again since":              {facts: good, entries: []manifest.Entry{first, again}, amis: []string{amiHere}, want: passed + amiHere},
		"withdrawn": {facts: good, entries: []manifest.Entry{first, again}, withdrawn: []manifest.Entry{again},
			amis: []string{amiThere, amiHere}},
		"withdrawn, and there is no other": {facts: good, entries: []manifest.Entry{first}, withdrawn: []manifest.Entry{first},
			amis: []string{amiHere}, want: passed + amiHere},
		"revoked":              {facts: revoked, entries: []manifest.Entry{first}, amis: []string{amiHere}, want: "it is revoked: bad kernel (found by tag)"},
		"revoked, and allowed": {facts: revoked, entries: []manifest.Entry{first}, amis: []string{amiHere}, options: "allow_revoked = true"},
		"not complete":         {facts: partly, entries: []manifest.Entry{first}, amis: []string{amiHere}, want: passed + amiHere},
		"of the source that is meant": {facts: good, entries: []manifest.Entry{first}, amis: []string{amiHere},
			options: `source = "amazon-ebs.image"`},
		"of another source": {facts: good, entries: []manifest.Entry{first}, amis: []string{amiHere},
			options: `source = "amazon-ebs.arm64"`, want: passed + amiHere},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			reg, err := access.Open(t.Context(), nil, dir, nil).Registry()
			check(t, err)
			_, err = reg.Publish(t.Context(), tt.entries, tt.facts)
			check(t, err)
			_, err = reg.Withdraw(t.Context(), "base", print1, tt.withdrawn)
			check(t, err)
			var tagged []amitest.Image
			for i, id := range tt.amis {
				tagged = append(tagged, amitest.Image{ID: id, Created: fmt.Sprintf("2026-05-%02dT00:00:00.000Z", 31-i), Tags: map[string]string{
					"chain:git-sha": sha1, "chain:image": "base", "chain:fingerprint": print1, "chain:manifest": reg.ManifestURI("base", print1)}})
			}
			id, err := fromEC2(t, fmt.Sprintf("registry = %q\ngit_sha = %q\n%s", dir, sha1, tt.options),
				map[string][]amitest.Step{here: {amitest.Describe(tagged...)}})
			if tt.want == "" {
				wantParent(t, id, err, nil)
			} else {
				wantParent(t, id, err, []string{tt.want})
			}
		})
	}
}

// TestTag_source asks for a source where nothing says of which an AMI is. The newest AMI was taken.
func TestTag_source(t *testing.T) {
	offline(t)
	ours := map[string]string{
		"chain:git-sha": sha1, "chain:image": "base", "chain:fingerprint": print1, "chain:manifest": "s3://acme-images/m.json"}
	for name, tags := range map[string]map[string]string{"no registry": ours, "of another tool": {"chain:git-sha": sha1}} {
		t.Run(name, func(t *testing.T) {
			id, err := fromEC2(t, fmt.Sprintf("git_sha = %q\nsource = \"amazon-ebs.image\"", sha1),
				map[string][]amitest.Step{here: {amitest.Describe(amitest.Image{ID: amiHere, Tags: tags})}})
			wantParent(t, id, err, []string{"passed over, as not published, not current or of another source: " + amiHere})
		})
	}
}
