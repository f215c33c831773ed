// SPDX-License-Identifier: MPL-2.0

package revoke

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	packersdk "github.com/hashicorp/packer-plugin-sdk/packer"

	"github.com/packer-chain/packer-plugin-chain/internal/access"
	"github.com/packer-chain/packer-plugin-chain/internal/ami/amitest"
	"github.com/packer-chain/packer-plugin-chain/internal/artifact"
	"github.com/packer-chain/packer-plugin-chain/internal/store/storetest/s3server"
)

// TestRevoke_pinned changes nothing while a channel points at the build: the error names all of
// them, and the ways on. Channels on another build of the same fingerprint do not count.
func TestRevoke_pinned(t *testing.T) {
	w := newWorld(t)
	w.publish(amiEntry("run"))
	w.publish(amiEntry("other"))
	rec := w.record("run")
	rec.Pointer.Origin = "github.com/acme/images//app"
	w.move("stable", rec)
	w.move("production", rec)
	w.move("latest", w.record("other"))
	for _, ec2 := range []string{"none", "disable"} {
		_, err := w.run(rec, because+`ec2 = "`+ec2+`"`, both(func(r string) []amitest.Step { return []amitest.Step{shown{}.in(r)} }))
		wantError(t, err, "revoke app: a channel points at it", "Nothing was changed.", "github.com/acme/images//app",
			"channel production", "channel stable", "Build the image again", "previous = 1", "allow_rollback = true", "force = true")
		if err != nil && strings.Contains(err.Error(), "channel latest") {
			t.Errorf("latest is on another build: %v", err)
		}
		if w.mark("run") != nil {
			t.Fatal("the manifest is marked")
		}
	}
	_, err := w.run(rec, because+"force = true", both(func(r string) []amitest.Step {
		return []amitest.Step{shown{}.in(r), tag(r), shown{revoked: reason}.in(r)}
	}))
	if w.check(err); w.mark("run") == nil {
		t.Error("force does not revoke")
	}
	// To restore it is never refused.
	_, err = w.run(rec, "restore = true", both(func(r string) []amitest.Step { return []amitest.Step{shown{}.in(r)} }))
	if w.check(err); w.mark("run") != nil {
		t.Error("the mark stays")
	}
}

// TestRevoke_after lets an image go that a channel has left.
func TestRevoke_after(t *testing.T) {
	w := newWorld(t)
	w.publish(fileEntry("run"))
	w.publish(fileEntry("other"))
	w.move("latest", w.record("run"))
	w.move("latest", w.record("other"))
	_, err := w.run(w.record("run"), because, nil)
	if w.check(err); w.mark("run") == nil {
		t.Error("it is not revoked")
	}
}

// TestRevoke_movedMeanwhile: another run moves a channel to the image after it was looked at. The
// image is revoked, and the error says what that means. With force, nobody asked.
func TestRevoke_movedMeanwhile(t *testing.T) {
	for _, force := range []string{"false", "true"} {
		w := newWorld(t)
		w.publish(fileEntry("run"))
		rec := w.record("run")
		ui := &screen{hook: func(text string) {
			if strings.HasPrefix(text, "app is revoked") {
				w.move("production", rec)
			}
		}}
		_, err := w.runOn(ui, rec, because+"force = "+force, nil)
		if force == "true" {
			w.check(err)
			continue
		}
		wantError(t, err, "revoke app: the image is revoked, and meanwhile another run has moved a channel to it",
			"channel production", "previous = 1", "whoever reads that gets an error")
		if w.mark("run") == nil {
			t.Error("it is not revoked")
		}
	}
}

// TestRevoke_otherArtifact changes nothing if the gate has passed through another image than that
// of the record: with two images in one template, only is missing.
func TestRevoke_otherArtifact(t *testing.T) {
	w := newWorld(t)
	w.publish(fileEntry("run"))
	again := fileEntry("other")
	again.ArtifactID = "Other"
	w.publish(again)
	rec, other := w.record("run"), w.record("other")
	for name, source := range map[string]packersdk.Artifact{
		"of another image":       artifact.NewExisting("web", print1, rec.Entries),
		"of another fingerprint": artifact.NewExisting("app", print2, rec.Entries),
		"of another run":         other.Artifact(),
	} {
		p, err := configure(t, "chain", rec, because)
		w.check(err)
		_, _, _, err = p.PostProcess(t.Context(), &screen{}, source)
		wantError(t, err, "revoke app: the artifact is that of another record: ", "only = [...]", "Nothing was changed.")
		if w.mark("run") != nil || w.mark("other") != nil {
			t.Errorf("%s: something is revoked", name)
		}
	}
}

// TestRevoke_listDenied: without the right to list the channels nobody knows which of them point at
// the image, so nothing is changed, and the error names the right. force does not need it.
func TestRevoke_listDenied(t *testing.T) {
	w := newWorld(t)
	fake, err := s3server.Fake("acme-images")
	w.check(err)
	server := httptest.NewServer(http.HandlerFunc(func(out http.ResponseWriter, r *http.Request) {
		if r.URL.Query().Get("list-type") != "" {
			s3server.Fail(out, http.StatusForbidden, "AccessDenied")
			return
		}
		fake.ServeHTTP(out, r)
	}))
	defer server.Close()
	w.dir = "s3://acme-images/chain"
	w.access = &access.Config{Region: here, AccessKey: "AKIDEXAMPLE", SecretKey: "secret",
		RegistryAccess: &access.RegistryAccess{Endpoint: server.URL, UsePathStyle: true}}
	w.publish(fileEntry("run"))
	store := fmt.Sprintf("registry_access {\n endpoint = %q\n use_path_style = true\n}\n", server.URL)
	_, err = w.run(w.record("run"), because+store, nil)
	wantError(t, err, "revoke app: find out which channels point at it: ", "s3:ListBucket")
	if w.mark("run") != nil {
		t.Fatal("the manifest is marked")
	}
	_, err = w.run(w.record("run"), because+store+"force = true", nil)
	if w.check(err); w.mark("run") == nil {
		t.Error("it is not revoked")
	}
}
