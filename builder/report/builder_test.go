// SPDX-License-Identifier: MPL-2.0

package report

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	packersdk "github.com/hashicorp/packer-plugin-sdk/packer"

	"github.com/packer-chain/packer-plugin-chain/internal/fingerprint"
	"github.com/packer-chain/packer-plugin-chain/internal/gitrepo"
	"github.com/packer-chain/packer-plugin-chain/internal/manifest"
	"github.com/packer-chain/packer-plugin-chain/internal/option/optiontest"
	"github.com/packer-chain/packer-plugin-chain/internal/registry"
	"github.com/packer-chain/packer-plugin-chain/internal/store/dirstore"
)

// screen is a Ui that remembers what it shows, and what of it in red.
type screen struct {
	packersdk.Ui
	said, red []string
}

func (s *screen) Say(text string)   { s.said = append(s.said, text) }
func (s *screen) Error(text string) { s.red = append(s.red, text) }

func prepared(t *testing.T, body string) (*Builder, error) {
	t.Helper()
	optiontest.Offline(t)
	t.Setenv(registry.Variable, "")
	b := &Builder{}
	_, warnings, err := b.Prepare(
		map[string]any{"packer_build_name": "all", "packer_builder_type": "chain-report"},
		optiontest.Decode(t, b, body))
	if len(warnings) > 0 {
		t.Errorf("warnings %q", warnings)
	}
	return b, err
}

func TestPrepare(t *testing.T) {
	for name, tt := range map[string]struct {
		body string
		want []string
	}{
		"a folder": {`registry = "/srv/chain"`, nil},
		"all": {`
			registry   = "s3://acme-images/chain"
			output     = "out"
			title      = "Images"
			images     = ["base", "snow*"]
			channels   = ["latest"]
			check_amis = true
			owners     = ["self", "123456789012"]
			paths      = { base = "../base" }
			timeout    = "1m"`, nil},
		"nothing": {``, []string{"registry is required: " + `write "s3://bucket/prefix" or the path of a folder, or set the environment variable CHAIN_REGISTRY`}},
		"output beside the registry": {`
			registry = "/srv/chain"
			output   = "/srv/chain-report"`, nil},
		"output in the registry": {`
			registry = "/srv/chain"
			output   = "/srv/chain/report"`,
			[]string{`output must not be in the registry, where a folder is an image, got "/srv/chain/report"`}},
		"wrong": {`
			registry = "s3:/acme"
			images   = ["["]
			channels = [""]
			owners   = ["me"]
			paths    = { "Base!" = "x" }
			timeout  = "-1m"`,
			[]string{
				"registry", "images[0] must be a name, in which * stands for any characters, got \"[\"",
				"channels[0] must be a name, in which * stands for any characters, got \"\"", "owners[0]",
				"timeout", "paths: image",
			}},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := prepared(t, tt.body)
			got := optiontest.Texts(err)
			if len(got) != len(tt.want) {
				t.Fatalf("got %q", got)
			}
			for i, text := range got {
				if !strings.Contains(text, strings.SplitN(tt.want[i], ":", 2)[0]) {
					t.Errorf("got %q, want %q", text, tt.want[i])
				}
			}
		})
	}
}

// repo is a git repository with the folder base, and a registry in which it was built. Then files
// are written.
func repo(t *testing.T, then map[string]string) (folder, registryDir string) {
	t.Helper()
	root := t.TempDir()
	images := filepath.Join(root, "images")
	folder, registryDir = filepath.Join(images, "base"), filepath.Join(root, "registry")
	writeAll(t, images, map[string]string{"base/base.pkr.hcl": "1", "shared/motd": "1"})
	for _, args := range [][]string{
		{"init", "-q"}, {"add", "."},
		{"-c", "user.name=a", "-c", "user.email=a@example.com", "commit", "-qm", "first"},
	} {
		if out, err := exec.Command("git", append([]string{"-C", images}, args...)...).CombinedOutput(); err != nil {
			t.Fatalf("%s\n%s", err, out)
		}
	}
	publish(t, folder, registryDir)
	writeAll(t, images, then)
	return folder, registryDir
}

func writeAll(t *testing.T, root string, files map[string]string) {
	t.Helper()
	for name, text := range files {
		name = filepath.Join(root, name)
		if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(name, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

func publish(t *testing.T, folder, registryDir string) {
	t.Helper()
	shared := filepath.Join(filepath.Dir(folder), "shared", "motd")
	checkout, err := gitrepo.Inspect(t.Context(), nil, folder, shared)
	if err != nil {
		t.Fatal(err)
	}
	facts := manifest.Facts{Image: "base", Git: manifest.Git{Commit: checkout.Commit}}
	facts.Fingerprint, facts.Components = fingerprint.Compute(fingerprint.Parts{
		Image: "base", TemplateSHA: checkout.Objects[0].Content,
		Extra: map[string]string{"shared/motd": checkout.Objects[1].ID()}})
	reg := registry.New(dirstore.New(registryDir))
	entries := []manifest.Entry{{Name: "app", BuilderType: "file", PackerRunUUID: "run", ArtifactID: "File"}}
	stored, err := reg.Publish(t.Context(), facts, entries, nil)
	if err != nil {
		t.Fatal(err)
	}
	_, err = reg.Move(t.Context(), registry.Request{
		Image: "base", Name: registry.Name{Kind: registry.Channel, Name: "latest"}, Stored: stored,
		To: registry.TargetOf(facts.Fingerprint, stored.Manifest.Builds),
	}, nil)
	if err != nil {
		t.Fatal(err)
	}
}

func TestRun_paths(t *testing.T) {
	for name, tt := range map[string]struct {
		write map[string]string
		want  string
	}{
		"nothing has changed":      {nil, "1 image: 1 current"},
		"a file has changed":       {map[string]string{"base/base.pkr.hcl": "2"}, "  base: out of date: template: "},
		"a file outside":           {map[string]string{"shared/motd": "2"}, "  base: out of date: extra shared/motd: "},
		"a report was left behind": {map[string]string{"base/chain-report/chain.json": "2"}, "1 image: 1 current"},
	} {
		t.Run(name, func(t *testing.T) {
			folder, registryDir := repo(t, tt.write)
			out := filepath.Join(t.TempDir(), "a", "b")
			b, err := prepared(t, `
				registry = "`+registryDir+`"
				output   = "`+out+`"
				paths    = { base = "`+folder+`" }`)
			if err != nil {
				t.Fatal(err)
			}
			ui := &screen{}
			artifact, err := b.Run(t.Context(), ui, nil)
			if err != nil {
				t.Fatal(err)
			}
			said := func(line string) bool { return strings.HasPrefix(line, tt.want) }
			if !slices.ContainsFunc(ui.said, said) || len(ui.red) > 0 {
				t.Errorf("said %q, and in red %q, want %q", ui.said, ui.red, tt.want)
			}
			want := []string{filepath.Join(out, "chain.html"), filepath.Join(out, "chain.json"), filepath.Join(out, "chain.mmd")}
			if diff := cmp.Diff(want, artifact.Files()); diff != "" {
				t.Errorf("files (-want +got):\n%s", diff)
			}
			if err := artifact.Destroy(); err != nil {
				t.Error(err)
			}
			for _, name := range want {
				if info, err := os.Stat(name); err != nil || info.Mode().Perm() != 0o644 || info.Size() == 0 {
					t.Errorf("%s: %v, %v", name, info, err)
				}
			}
		})
	}
}

func TestRun_emptyRegistry(t *testing.T) {
	b, err := prepared(t, `registry = "`+t.TempDir()+`"`)
	if err != nil {
		t.Fatal(err)
	}
	_, err = b.Run(t.Context(), &screen{}, nil)
	if err == nil || !strings.Contains(err.Error(), "it has no images\n\nCheck registry") {
		t.Errorf("got error %v", err)
	}
}

func TestRun_unwritable(t *testing.T) {
	folder, registryDir := repo(t, nil)
	b, err := prepared(t, `
		registry = "`+registryDir+`"
		output   = "`+filepath.Join(folder, "base.pkr.hcl", "out")+`"`)
	if err != nil {
		t.Fatal(err)
	}
	_, err = b.Run(t.Context(), &screen{}, nil)
	if err == nil || !strings.Contains(err.Error(), "write the report: ") {
		t.Errorf("got error %v, want that of the folder", err)
	}
}

func TestRun_nothingMatches(t *testing.T) {
	_, registryDir := repo(t, nil)
	b, err := prepared(t, `
		registry = "`+registryDir+`"
		output   = "`+t.TempDir()+`"
		images   = ["ba*", "snow*"]
		channels = ["prod*"]`)
	if err != nil {
		t.Fatal(err)
	}
	ui := &screen{}
	if _, err := b.Run(t.Context(), ui, nil); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{
		`warning: images: no image matches "snow*"`,
		`warning: channels: no channel of these images matches "prod*"`,
	}, ui.red); diff != "" {
		t.Errorf("in red (-want +got):\n%s", diff)
	}
}

func TestRun_timeout(t *testing.T) {
	_, registryDir := repo(t, nil)
	b, err := prepared(t, `registry = "`+registryDir+`"`)
	if err != nil {
		t.Fatal(err)
	}
	b.config.Timeout = time.Nanosecond
	_, err = b.Run(t.Context(), &screen{}, nil)
	if err == nil || !strings.Contains(err.Error(), ": not done after 1ns, the option timeout: ") {
		t.Errorf("got error %v, want that of the timeout", err)
	}
}
