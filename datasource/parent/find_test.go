// SPDX-License-Identifier: MPL-2.0

package parent

import (
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/packer-chain/packer-plugin-chain/internal/access"
	"github.com/packer-chain/packer-plugin-chain/internal/manifest"
	"github.com/packer-chain/packer-plugin-chain/internal/manifest/manifesttest"
	"github.com/packer-chain/packer-plugin-chain/internal/registry"
)

// fileBuild is a build of an image that is a file, which needs no AWS.
func fileBuild(source string) manifest.Entry {
	return manifest.Entry{
		Name: source, BuilderType: "file", PackerRunUUID: "run", ArtifactID: "File", BuildTime: now.Unix(),
		Files: []manifest.File{{Name: source, Size: 5, SHA256: print2}},
	}
}

func chain(fingerprint string) manifest.Facts {
	return manifest.Facts{Image: "base", Fingerprint: fingerprint, Git: manifest.Git{SHA: sha1, Name: sha1}}
}

// published is a registry in a folder, with one image in the channel "latest".
func published(t *testing.T, facts manifest.Facts) (dir string) {
	t.Helper()
	dir = t.TempDir()
	publish(t, dir, facts, fileBuild("image"))
	return dir
}

var latest = registry.Name{Kind: registry.Channel, Name: "latest"}

func open(t *testing.T, dir string) *registry.Registry {
	t.Helper()
	reg, err := access.Open(t.Context(), nil, dir, nil).Registry()
	check(t, err)
	return reg
}

// publish publishes an image, and moves the channel "latest" to it.
func publish(t *testing.T, dir string, facts manifest.Facts, entries ...manifest.Entry) {
	t.Helper()
	_, err := open(t, dir).Publish(t.Context(), facts, entries, nil)
	check(t, err)
	point(t, dir, facts, now, latest, entries...)
}

// point moves a pointer to builds of an image that is published, as a run does that has decided at
// that time.
func point(
	t *testing.T, dir string, facts manifest.Facts, at time.Time, name registry.Name, entries ...manifest.Entry,
) {
	t.Helper()
	reg := open(t, dir)
	stored, err := reg.Manifest(t.Context(), facts.Image, facts.Fingerprint)
	check(t, err)
	to := registry.TargetOf(facts.Fingerprint, entries)
	to.Position = registry.Position{Commit: facts.Git.Commit, CommitTime: facts.Git.CommitTime, DecidedAt: at}
	to.Content, to.GitSHA, to.Line = facts.Git.Content, facts.Git.Name, facts.Git.Line
	result, err := reg.Move(t.Context(), registry.Request{
		Image: facts.Image, Name: name, To: to, Stored: stored, Change: manifest.Change{By: "test"}, AllowRollback: true}, nil)
	check(t, err)
	if result.Outcome > registry.There {
		t.Fatalf("%s does not move: %+v", name, result)
	}
}

// revoke revokes the manifest in a file.
func revoke(t *testing.T, path, reason string) {
	t.Helper()
	body, err := os.ReadFile(path)
	check(t, err)
	m, err := manifest.Parse(body)
	check(t, err)
	every := func(manifest.Entry) bool { return true }
	m, _ = m.Mark(every, manifesttest.Revoked(reason, now), "w2")
	check(t, os.WriteFile(path, []byte(encode(t, *m)), 0o644))
}

func encode(t *testing.T, m manifest.Manifest) string {
	t.Helper()
	body, err := manifest.Encode(m)
	if err != nil {
		t.Fatal(err)
	}
	return string(body)
}

// ours is a local manifest.
func ours(t *testing.T, change func(*manifest.Manifest)) string {
	t.Helper()
	facts := chain(print1)
	m, _ := manifest.Merge(nil, facts, []manifest.Entry{fileBuild("image")}, now, "write")
	if change != nil {
		change(m)
	}
	return encode(t, *m)
}

// TestExecute_manifest looks at local files of every kind. The registry is empty.
func TestExecute_manifest(t *testing.T) {
	offline(t)
	tests := map[string]struct {
		body string
		want string // a part of the error; empty: found
	}{
		"ours":        {body: ours(t, nil)},
		"Packer's":    {body: `{"builds":[{"name":"x","builder_type":"file","artifact_id":"File","packer_run_uuid":"u"}],"last_run_uuid":"u"}`},
		"other image": {ours(t, func(m *manifest.Manifest) { m.Chain.Image = "app" }), "is of image app"},
		"Packer's of no run": {`{"builds":[{"name":"x","builder_type":"file","artifact_id":"File","packer_run_uuid":"u"}],"last_run_uuid":"v"}`,
			"names no build of its last run"},
		"ours, of other sources": {ours(t, func(m *manifest.Manifest) { m.Chain.Sources = []string{"amazon-ebs.app"} }),
			"is incomplete: amazon-ebs.app not built"},
		"ours, all revoked": {ours(t, func(m *manifest.Manifest) { m.Builds[0].Revoked = manifesttest.Revoked("bad kernel", now) }),
			"it is revoked: bad kernel"},
		"cut short":    {ours(t, nil)[:40], "corrupt: unexpected EOF"},
		"not JSON":     {"image\n", "corrupt: not a JSON object"},
		"empty":        {"", "corrupt: not a JSON object"},
		"no builds":    {`{"builds":[]}`, "corrupt: it holds no builds"},
		"newer schema": {ours(t, func(m *manifest.Manifest) { m.Chain.Schema = 2 }), "unsupported schema version 2, this plugin reads 1\n\nUpgrade the chain plugin."},
		"huge":         {strings.Repeat(" ", manifest.MaxSize) + ours(t, nil), "not a manifest: a file of at most 1048576 bytes is expected"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "manifest.json")
			if err := os.WriteFile(path, []byte(tt.body), 0o644); err != nil {
				t.Fatal(err)
			}
			wantExecute(t, "local_manifest = "+strconv.Quote(path), path, tt.want)
		})
	}
	t.Run("does not exist", func(t *testing.T) {
		path := filepath.Join(t.TempDir(), "none.json")
		wantExecute(t, "local_manifest = "+strconv.Quote(path), path, "  local_manifest  "+path+" does not exist")
	})
	t.Run("folder", func(t *testing.T) {
		dir := t.TempDir()
		wantExecute(t, "local_manifest = "+strconv.Quote(dir), dir, "not a manifest")
	})
	t.Run("device", func(t *testing.T) {
		wantExecute(t, "local_manifest = \""+filepath.ToSlash(os.DevNull)+"\"", os.DevNull, "not a manifest")
	})
}

// wantExecute resolves the parent "base". The output is from the file, or the error names it.
func wantExecute(t *testing.T, options, address, wantErr string) {
	t.Helper()
	var d Datasource
	if errs := configure(t, &d, "image = \"base\"\nkind = \"artifact\"\n"+options); errs != nil {
		t.Fatal(errs)
	}
	value, err := d.Execute()
	switch {
	case wantErr == "" && err != nil:
		t.Fatal(err)
	case wantErr == "" && (value.GetAttr("id").AsString() != "File" || value.GetAttr("manifest_uri").AsString() != address):
		t.Errorf("got %#v", value)
	case wantErr != "" && (err == nil || !strings.HasPrefix(err.Error(), "resolve image base: ") || !strings.Contains(err.Error(), wantErr)):
		t.Errorf("got %v, want %q in it", err, wantErr)
	case wantErr != "" && !strings.Contains(err.Error(), address):
		t.Errorf("%v does not name %s", err, address)
	}
}

func TestExecute_registry(t *testing.T) {
	offline(t)
	partly := chain(print1)
	partly.Sources = []string{"file.image", "amazon-ebs.app"}
	dir := published(t, chain(print1))
	at := func(dir, fingerprint string) string { return filepath.Join(dir, "base", "builds", fingerprint+".json") }

	wantExecute(t, "registry = "+strconv.Quote(dir), at(dir, print1), "")
	wantExecute(t, `registry = "file:///`+strings.TrimPrefix(filepath.ToSlash(dir), "/")+"\"\nfingerprint = \""+print1+`"`, at(dir, print1), "")
	wantExecute(t, "registry = "+strconv.Quote(dir)+"\nfingerprint = \""+print2+"\"\nresolve_by = [\"registry\"]", at(dir, print2), at(dir, print2)+" does not exist")
	wantExecute(t, "registry = "+strconv.Quote(dir)+"\nchannel = \"production\"", filepath.Join("base", "channels", "production.json"), "not found (channel production)")

	dir = published(t, chain(print1))
	revoke(t, at(dir, print1), "bad kernel")
	wantExecute(t, "registry = "+strconv.Quote(dir), at(dir, print1), "it is revoked: bad kernel")
	dir = published(t, partly)
	wantExecute(t, "registry = "+strconv.Quote(dir)+"\nfingerprint = \""+print1+`"`, at(dir, print1), "is incomplete: amazon-ebs.app not built")
}

// TestExecute_damaged is never taken for missing: on_missing = "empty" would build on nothing.
func TestExecute_damaged(t *testing.T) {
	offline(t)
	const lenient = "\non_missing = \"empty\""
	channel := func(dir string) string { return filepath.Join(dir, "base", "channels", "latest.json") }
	build := func(dir string) string { return filepath.Join(dir, "base", "builds", print1+".json") }
	tests := map[string]struct {
		damage func(t *testing.T, dir string)
		at     func(dir string) string
		want   string
	}{
		"channel cut short": {func(t *testing.T, dir string) { cut(t, channel(dir)) }, channel, "corrupt: unexpected EOF"},
		"build cut short":   {func(t *testing.T, dir string) { cut(t, build(dir)) }, build, "corrupt: unexpected EOF"},
		"build gone":        {func(t *testing.T, dir string) { check(t, os.Remove(build(dir))) }, build, "corrupt: channel latest points at it, but it does not exist"},
		"build changed behind the channel": {func(t *testing.T, dir string) {
			body, err := os.ReadFile(build(dir))
			check(t, err)
			check(t, os.WriteFile(build(dir), append(body, '\n'), 0o644))
		}, build, "it is not the manifest that channel latest points at"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			dir := published(t, chain(print1))
			tt.damage(t, dir)
			wantExecute(t, "registry = "+strconv.Quote(dir)+lenient, tt.at(dir), tt.want)
		})
	}
	t.Run("registry is a file", func(t *testing.T) {
		file := filepath.Join(t.TempDir(), "registry")
		check(t, os.WriteFile(file, nil, 0o644))
		wantExecute(t, "registry = "+strconv.Quote(file)+lenient, channel(file), "not a directory")
	})
}

func cut(t *testing.T, path string) {
	t.Helper()
	info, err := os.Stat(path)
	check(t, err)
	check(t, os.Truncate(path, info.Size()/2))
}

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// TestExecute_missing finds nothing, which is not an error.
func TestExecute_missing(t *testing.T) {
	offline(t)
	wantNone(t, t.TempDir())
}

// wantNone wants no parent in a registry, and no error.
func wantNone(t *testing.T, registry string) {
	t.Helper()
	var d Datasource
	if errs := configure(t, &d, "image = \"base\"\nkind = \"artifact\"\nregistry = "+strconv.Quote(registry)+"\non_missing = \"empty\""); errs != nil {
		t.Fatal(errs)
	}
	value, err := d.Execute()
	if err != nil || value.GetAttr("found").True() || value.GetAttr("amis").IsNull() {
		t.Errorf("got %#v, %v", value, err)
	}
}

// Cause: a publication to a registry below the parent's folder changed the name of the parent's
// files.
func TestReadGit_registryBelow(t *testing.T) {
	if _, err := exec.LookPath("git"); err != nil {
		t.Skip("git is not installed")
	}
	base := filepath.Join(t.TempDir(), "base")
	dir := filepath.Join(base, "registry")
	check(t, os.MkdirAll(filepath.Join(dir, "base", "builds"), 0o755))
	check(t, os.WriteFile(filepath.Join(base, "base.pkr.hcl"), nil, 0o644))
	for _, args := range [][]string{
		{"init", "-q"}, {"add", "base.pkr.hcl"},
		{"-c", "user.name=Acme", "-c", "user.email=acme@example.com", "commit", "-q", "-m", "begin"},
	} {
		check(t, exec.Command("git", append([]string{"-C", base}, args...)...).Run())
	}
	check(t, os.WriteFile(filepath.Join(dir, "base", "builds", print1+".json"), nil, 0o644))
	s, err := newSearch(t.Context(), nil, Config{Image: "base", Registry: dir, Path: base})
	if err != nil || s.folder == nil || s.folder.commit == "" || strings.Contains(s.gitName, "dirty") {
		t.Errorf("got name %q, folder %+v, %v", s.gitName, s.folder, err)
	}
}
