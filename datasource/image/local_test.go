// SPDX-License-Identifier: MPL-2.0

package image

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/packer-chain/packer-plugin-chain/internal/manifest"
	"github.com/packer-chain/packer-plugin-chain/internal/option/optiontest"
	"github.com/packer-chain/packer-plugin-chain/internal/record"
)

// local writes a local manifest, as the post-processor leaves it when it could not publish.
func local(t *testing.T, rec record.Record, published *bool, entries ...manifest.Entry) {
	t.Helper()
	m, _ := manifest.Merge(nil, rec.Facts, entries, now, "unpublished")
	m.Chain.Published = published
	body, err := manifest.Encode(m)
	if err != nil {
		t.Fatal(err)
	}
	replace(t, rec.LocalManifest, body)
}

// TestExecute_local has local manifests of all kinds beside an empty registry.
func TestExecute_local(t *testing.T) {
	optiontest.Offline(t)
	no, yes := false, true
	tests := map[string]struct {
		leave func(t *testing.T, rec record.Record)
		want  string
	}{
		"ours": {func(t *testing.T, rec record.Record) { local(t, rec, &no, entry("1", now)) },
			"unchanged, built by an earlier run that could not publish it"},
		"of an image in the registry": {func(t *testing.T, rec record.Record) { local(t, rec, nil, entry("1", now)) }, "no build of SHORT in the registry"},
		"published":                   {func(t *testing.T, rec record.Record) { local(t, rec, &yes, entry("1", now)) }, "no build of SHORT in the registry"},
		"of another fingerprint": {func(t *testing.T, rec record.Record) {
			rec.Fingerprint = strings.Repeat("0", 64)
			local(t, rec, &no, entry("1", now))
		}, "no build of SHORT in the registry"},
		"of another image": {func(t *testing.T, rec record.Record) { rec.Image = "other"; local(t, rec, &no, entry("1", now)) }, "first build of app"},
		"corrupt":          {func(t *testing.T, rec record.Record) { replace(t, rec.LocalManifest, []byte("{")) }, "first build of app"},
		"Packer's own": {func(t *testing.T, rec record.Record) {
			replace(t, rec.LocalManifest, []byte(`{"builds":[{"name":"x"}],"last_run_uuid":"u"}`))
		}, "first build of app"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			newRepo(t, app)
			first := looked(t, "", "first build of app")
			tt.leave(t, first)
			rec := looked(t, "", strings.Replace(tt.want, "SHORT", first.Fingerprint[:12], 1))
			if rec.Unpublished != (len(rec.Pending) == 0) || (rec.Unpublished && rec.Entries[0].ArtifactID != "File-1") {
				t.Errorf("got %+v", rec)
			}
		})
	}
}

// TestExecute_localAndRegistry has both, of one fingerprint.
func TestExecute_localAndRegistry(t *testing.T) {
	optiontest.Offline(t)
	no := false
	tests := map[string]struct {
		options       string
		stored, local []manifest.Entry
		want          []string
		unpublished   bool
	}{
		"the same":         {"", []manifest.Entry{entry("1", now)}, []manifest.Entry{entry("1", now)}, []string{"File-1"}, false},
		"local is newer":   {"", []manifest.Entry{entry("1", now)}, []manifest.Entry{entry("2", now.Add(time.Hour))}, []string{"File-2"}, true},
		"local is a relic": {"", []manifest.Entry{entry("2", now.Add(time.Hour))}, []manifest.Entry{entry("1", now)}, []string{"File-2"}, false},
		"of two sources": {
			`sources = ["file.image", "file.arm64"]`,
			[]manifest.Entry{entry("1", now)}, []manifest.Entry{{Name: "arm64", BuilderType: "file", PackerRunUUID: "1", ArtifactID: "File-arm", BuildTime: now.Unix()}},
			[]string{"File-arm", "File-1"}, true},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			newRepo(t, app)
			rec := looked(t, tt.options, "first build of app")
			publish(t, rec, tt.stored...)
			local(t, rec, &no, tt.local...)
			want := "unchanged"
			if tt.unpublished {
				want = reasonUnpublished
			}
			rec = looked(t, tt.options, want)
			if diff := cmp.Diff(tt.want, ids(rec.Entries)); diff != "" || rec.Unpublished != tt.unpublished {
				t.Error(diff, rec.Unpublished)
			}
		})
	}
}

// TestExecute_localIsNotIt has a local manifest of what a run built and could not publish, and
// which is not what is wanted now. It was published all the same: that took a later revocation off,
// or passed through sources that nobody wants.
func TestExecute_localIsNotIt(t *testing.T) {
	optiontest.Offline(t)
	no := false
	tests := map[string]struct {
		revoked time.Duration // after the published build
		options string
		want    string
	}{
		"revoked since":      {revoked: 2 * time.Hour, want: "revoked: holds a leaked key"},
		"of another source":  {options: `sources = ["file.other"]`, want: "file.other: not built yet"},
		"revoked before":     {revoked: time.Minute, want: reasonUnpublished},
		"of the same source": {want: reasonUnpublished},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			newRepo(t, app)
			rec := looked(t, "", "first build of app")
			publish(t, rec, entry("1", now))
			local(t, rec, &no, entry("2", now.Add(time.Hour)))
			if tt.revoked != 0 {
				revoke(t, rec, "holds a leaked key", now.Add(tt.revoked))
			}
			if rec = looked(t, tt.options, tt.want); rec.Unpublished != (len(rec.Pending) == 0) {
				t.Errorf("got %+v", rec)
			}
		})
	}
}

// TestExecute_localRelic has a local manifest of a source that is no part of the image any more: it
// made the image pending for ever, as no run publishes it.
func TestExecute_localRelic(t *testing.T) {
	optiontest.Offline(t)
	newRepo(t, app)
	no := false
	relic := entry("1", now)
	relic.Name = "other"
	rec := looked(t, `sources = ["file.image", "file.other"]`, "first build of app")
	local(t, rec, &no, relic)
	rec = looked(t, `sources = ["file.image"]`, "file.image: not built yet")
	publish(t, rec, entry("2", now))
	looked(t, `sources = ["file.image"]`, "unchanged")
}
