// SPDX-License-Identifier: MPL-2.0

package registry

import (
	"bytes"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/packer-chain/packer-plugin-chain/internal/manifest"
	"github.com/packer-chain/packer-plugin-chain/internal/manifest/manifesttest"
)

// FuzzRef moves a ref that may be anything: it is refused, or the move is all that changes, and what is
// written is read again.
func FuzzRef(f *testing.F) {
	for _, doc := range manifesttest.Refs(image, "latest", fp1) {
		if len(doc.Body) < 4096 {
			f.Add(doc.Body)
		}
	}
	f.Add(manifesttest.Ref(image, "latest", fp1))
	f.Add(manifesttest.Ref(image, "latest", fp1, `"commit": ""`, `"commit_time": "9999-12-31T23:59:59-23:59", "x": {"kept": 1}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		ref, err := parseRef(body, image, "latest")
		if err != nil || len(body) > manifest.MaxSize/16 || ref.Seq == manifest.MaxSeq {
			return
		}
		to := Target{Fingerprint: fp2, CommitTime: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)}
		moved := ref.decide(to, Always)
		if !moved.Written {
			return
		}
		after := ref.pointAt(to, Move{Fingerprint: fp2, WriteID: "w-of-the-fuzzer"})
		written, err := manifest.Encode(after)
		if err != nil {
			t.Fatalf("taken, but not written: %v", err)
		}
		again, err := parseRef(written, image, "latest")
		if err != nil {
			t.Fatalf("written, but not read: %v\n%s", err, written)
		}
		if again.Fingerprint != fp2 || again.Seq != ref.Seq+1 || len(again.Moves) > maxMoves {
			t.Errorf("%+v became %+v, and says %+v", ref, again, moved)
		}
		if bytes.Contains(body, []byte(`"kept"`)) && (len(again.Unknown) == 0) != (len(ref.Unknown) == 0) {
			t.Errorf("fields got lost: %s became %s", ref.Unknown, again.Unknown)
		}
	})
}

// FuzzLocation reads what a user may give as registry. What is taken is a bucket or a folder, is read
// the same again, and an error never shows a password.
func FuzzLocation(f *testing.F) {
	for _, seed := range []string{
		"s3://acme-images/chain", "file:///srv/chain", "file:///a%00b", "file:///a%0ab", "s3://me:hunter2@acme-images/chain",
		"https://me:hunter2@example.com/chain?X-Amz-Signature=abc", "../registry", "file:///C:/chain", "s3://a/../b",
		"hunter2://me:hunter2@",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, s string) {
		at, err := ParseLocation(s)
		if err != nil {
			// Only a password that stands nowhere else in the text is a secret: the fuzzer also makes it the
			// scheme, the host or the path, which an error may show.
			secret := strings.Contains(s, "://me:hunter2@") && strings.Count(s, "hunter2") == 1
			if secret && strings.Contains(err.Error(), "hunter2") {
				t.Errorf("%q: the error shows the password: %v", s, err)
			}
			return
		}
		if at.S3() == (at.Dir != "") || strings.ContainsAny(at.String(), "\x00\r\n") {
			t.Errorf("%q became %+v", s, at)
		}
		if !at.S3() && !filepath.IsAbs(at.Dir) {
			t.Errorf("%q: %q is not absolute", s, at.Dir)
		}
		if again, err := ParseLocation(at.String()); at.S3() && (err != nil || again != at) {
			t.Errorf("%q became %q, and that %+v, %v", s, at, again, err)
		}
	})
}
