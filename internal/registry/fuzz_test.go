// SPDX-License-Identifier: MPL-2.0

package registry

import (
	"bytes"
	"path/filepath"
	"strings"
	"testing"

	"github.com/packer-chain/packer-plugin-chain/internal/manifest"
	"github.com/packer-chain/packer-plugin-chain/internal/manifest/manifesttest"
)

// FuzzPointer moves a pointer that may be anything: it is refused, or the move is all that changes, and what
// is written is read again.
func FuzzPointer(f *testing.F) {
	for _, doc := range manifesttest.Pointers(image, "latest", fp1) {
		if len(doc.Body) < 4096 {
			f.Add(doc.Body, false)
		}
	}
	f.Add(manifesttest.Pointer(image, "latest", fp1), true)
	f.Add(manifesttest.Pointer(image, "latest", fp1, `"commit_time": "2026-01-02T03:04:05Z"`,
		`"commit_time": "9999-12-31T23:59:59-23:59"`, `"manifest_seq": 1`, `"manifest_seq": 1, "x": {"kept": 1}`), true)
	f.Fuzz(func(t *testing.T, body []byte, allow bool) {
		p, err := parsePointer(body, image, latest)
		if err != nil || len(body) > manifest.MaxSize/16 || p.Seq == manifest.MaxSeq {
			return
		}
		req := run{commit: "b", decided: 100, image: "B"}.request(latest, nil)
		req.AllowRollback = allow
		next, result := decide(p, req, Move{WriteID: "w-of-the-fuzzer", Change: manifest.Change{At: minute(101)}})
		if next == nil {
			return
		}
		written, err := manifest.Encode(next)
		if err != nil {
			t.Fatalf("taken, but not written: %v", err)
		}
		again, err := parsePointer(written, image, latest)
		if err != nil {
			t.Fatalf("written, but not read: %v\n%s", err, written)
		}
		if again.Fingerprint != req.To.Fingerprint || again.Seq != p.Seq+1 || again.Seq != result.Seq || len(again.Moves) > maxMoves {
			t.Errorf("%+v became %+v, and says %+v", p, again, result)
		}
		if result.Outcome != There && (!again.Current().Same(req.To) || len(again.Moves) < min(len(p.Moves)+1, maxMoves)) {
			t.Errorf("%+v became %+v", p, again)
		}
		if bytes.Contains(body, []byte(`"kept"`)) && (len(again.Unknown) == 0) != (len(p.Unknown) == 0) {
			t.Errorf("fields got lost: %s became %s", p.Unknown, again.Unknown)
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
