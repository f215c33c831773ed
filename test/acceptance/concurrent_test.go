// SPDX-License-Identifier: MPL-2.0

package acceptance

import (
	"context"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/packer-chain/packer-plugin-chain/internal/localmanifest"
	"github.com/packer-chain/packer-plugin-chain/internal/manifest"
	"github.com/packer-chain/packer-plugin-chain/internal/text"
	"github.com/packer-chain/packer-plugin-chain/test/lab/packercli"
)

// crowd is a template of one image with n sources, which are all part of it. A build waits in a
// provisioner until as many sources as the variable crowd says have got there, in whichever
// process: then all publish at once.
func crowd(n int) string {
	var sources, names []string
	for i := range n {
		sources = append(sources, fmt.Sprintf(`source "null" "s%d" { communicator = "none" }`, i))
		names = append(names, fmt.Sprintf(`"null.s%d"`, i))
	}
	used := strings.ReplaceAll(strings.Join(names, ", "), `"null.`, `"source.null.`)
	return strings.Join(sources, "\n") + `
variable "registry" { type = string }
variable "image" { type = string }
variable "barrier" { type = string }
variable "crowd" { type = string }
data "chain-image" "this" {
  registry = var.registry
  image    = var.image
  path     = path.root
  sources = [` + strings.Join(names, ", ") + `]
}
build {
  sources = [` + used + `]
  provisioner "shell-local" {
    inline = ["mktemp ${var.barrier}/XXXXXXXXXX > /dev/null",
      "while [ $(ls ${var.barrier} | wc -l) -lt ${var.crowd} ]; do sleep 0.1; done"]
  }
  post-processor "chain" { record = data.chain-image.this.record }
}
`
}

// figure returns the short figure, or that of "make torture".
func figure(short, long int) int {
	if os.Getenv("CHAIN_LONG") != "" {
		return long
	}
	return short
}

// tally is what a test did: attributes of the test, from which "make torture" makes its table.
type tally struct{ tried, lost, duplicated int }

func (n tally) report(t *testing.T) {
	t.Helper()
	t.Attr("tried", strconv.Itoa(n.tried))
	t.Attr("lost", strconv.Itoa(n.lost))
	t.Attr("duplicated", strconv.Itoa(n.duplicated))
	if n.lost > 0 || n.duplicated > 0 {
		t.Errorf("%d lost and %d duplicated of %d", n.lost, n.duplicated, n.tried)
	}
}

// crowdBuilder is one of several packer processes that run at once, each in another checkout.
type crowdBuilder struct{ image, dir string }

// crowdLab commits the template with n sources, and checks it out once for each image name.
func crowdLab(t *testing.T, l *lab, n int, images []string) []crowdBuilder {
	t.Helper()
	l.write("image/image.pkr.hcl", crowd(n))
	l.commit("begin")
	barrier := t.TempDir()
	l.packer = l.packer.With(withoutAmazon(), "PKR_VAR_barrier="+barrier,
		fmt.Sprintf("PKR_VAR_crowd=%d", n*len(images)))
	var builders []crowdBuilder
	for _, image := range images {
		dir := filepath.Join(t.TempDir(), "checkout")
		_, err := l.repo.Git(t.Context(), "clone", "--quiet", l.repo.Dir, dir)
		l.check(err)
		builders = append(builders, crowdBuilder{image, filepath.Join(dir, "image")})
	}
	return builders
}

// buildAll runs all builders at once, and returns how many failed.
func (l *lab) buildAll(builders []crowdBuilder) (failed int) {
	l.t.Helper()
	ctx, cancel := context.WithTimeout(l.t.Context(), 8*time.Minute)
	defer cancel()
	var running sync.WaitGroup
	results := make([]packercli.Result, len(builders))
	errs := make([]error, len(builders))
	for i, b := range builders {
		running.Go(func() {
			results[i], errs[i] = l.packer.With("PKR_VAR_image="+b.image).Build(ctx, b.dir)
		})
	}
	running.Wait()
	for i, result := range results {
		l.check(errs[i])
		published := strings.Contains(result.Output, "manifest: ") &&
			!strings.Contains(result.Output, "is not published")
		if result.Code != 0 || !published {
			failed++
			l.t.Errorf("%s\n%s", builders[i].image, result)
		}
	}
	return failed
}

// wantEntries checks that the manifest of an image holds each of n sources, once for each of runs.
func wantEntries(
	t *testing.T, documents map[string][]byte, image string, n, runs int,
) (lost, duplicated int) {
	t.Helper()
	want, found := n*runs, 0
	for key, body := range documents {
		if !strings.HasPrefix(key, image+"/builds/") {
			continue
		}
		m, err := manifest.Parse(body)
		if err != nil {
			t.Errorf("%s: %v", key, err)
			continue
		}
		seen := map[string]int{}
		for _, e := range m.Builds {
			id := e.PackerRunUUID + " " + e.Source()
			if seen[id]++; seen[id] > 1 {
				duplicated++
			}
		}
		found += len(seen)
		if m.Chain.Seq != int64(want) {
			t.Errorf("%s: seq %d, want %d: one for each entry", key, m.Chain.Seq, want)
		}
	}
	return want - found, duplicated
}

// wantTruePointers checks that the line and the channel of an image exist, and that each points at a
// manifest that exists, is whole, and is the one it names or a newer one.
func wantTruePointers(t *testing.T, documents map[string][]byte, image string) {
	t.Helper()
	names := map[string]bool{}
	for key, body := range documents {
		name, ok := strings.CutPrefix(strings.TrimSuffix(key, ".json"), image+"/")
		if !ok || strings.HasPrefix(name, "builds/") {
			continue
		}
		names[name] = true
		var pointer struct {
			Fingerprint    string `json:"fingerprint"`
			ManifestSeq    int64  `json:"manifest_seq"`
			ManifestSHA256 string `json:"manifest_sha256"`
		}
		if err := manifest.Decode(body, &pointer); err != nil {
			t.Errorf("%s: %v", key, err)
			continue
		}
		target := documents[image+"/builds/"+pointer.Fingerprint+".json"]
		m, err := manifest.Parse(target)
		switch {
		case err != nil:
			t.Errorf("%s points at %s: %v", key, pointer.Fingerprint, err)
		case m.Belongs(image, pointer.Fingerprint) != nil, m.Chain.Seq < pointer.ManifestSeq:
			t.Errorf("%s is not true: %s\n%s", key, body, target)
		case m.Chain.Seq == pointer.ManifestSeq && text.SHA256(target) != pointer.ManifestSHA256:
			t.Errorf("%s names other bytes: %s\n%s", key, body, target)
		case len(m.MissingSources()) > 0:
			t.Errorf("%s points at an image that lacks %v", key, m.MissingSources())
		}
	}
	if !names["lines/main"] || !names["channels/latest"] || len(names) != 2 {
		t.Errorf("the pointers of %s are %v, want the line main and the channel latest", image, names)
	}
}

// folderFiles are the documents of a registry that is a folder, by key.
func folderFiles(t *testing.T, dir string) map[string][]byte {
	t.Helper()
	documents := map[string][]byte{}
	err := filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		key, err := filepath.Rel(dir, path)
		if err != nil {
			return err
		}
		documents[filepath.ToSlash(key)], err = os.ReadFile(path)
		if strings.HasSuffix(path, ".tmp") {
			t.Errorf("%s is left over", path)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return documents
}

// bucketFiles are the documents of a registry in the bucket, by key.
func (l *lab) bucketFiles() map[string][]byte {
	l.t.Helper()
	documents := map[string][]byte{}
	for key, body := range l.objects() {
		documents[strings.TrimPrefix(key, "chain/")] = body
	}
	return documents
}

// TestAccConcurrent_oneImage has several processes build one image from the same commit at once, as
// jobs of CI do: each is recorded.
func TestAccConcurrent_oneImage(t *testing.T) {
	t.Parallel()
	l, n := offlineLab(t), figure(4, 16)
	registry := filepath.Join(t.TempDir(), "registry")
	l.packer = l.packer.With("PKR_VAR_registry=" + registry)
	failed := l.buildAll(crowdLab(t, l, 1, slices.Repeat([]string{"base"}, n)))
	documents := folderFiles(t, registry)
	lost, duplicated := wantEntries(t, documents, "base", 1, n)
	wantTruePointers(t, documents, "base")
	tally{n, max(lost, failed), duplicated}.report(t)
}

// TestAccConcurrent_manyImages has several processes build an image each, into one registry.
func TestAccConcurrent_manyImages(t *testing.T) {
	t.Parallel()
	l, n := offlineLab(t), figure(4, 16)
	registry := filepath.Join(t.TempDir(), "registry")
	l.packer = l.packer.With("PKR_VAR_registry=" + registry)
	var images []string
	for i := range n {
		images = append(images, fmt.Sprintf("image%d", i))
	}
	sum := tally{tried: n, lost: l.buildAll(crowdLab(t, l, 1, images))}
	documents := folderFiles(t, registry)
	for _, image := range images {
		lost, duplicated := wantEntries(t, documents, image, 1, 1)
		sum.lost, sum.duplicated = sum.lost+lost, sum.duplicated+duplicated
		wantTruePointers(t, documents, image)
	}
	sum.report(t)
}

// TestAccConcurrent_sources has one build with 16 sources, which all publish at once.
func TestAccConcurrent_sources(t *testing.T) {
	t.Parallel()
	const n = 16
	l := offlineLab(t)
	registry := filepath.Join(t.TempDir(), "registry")
	l.packer = l.packer.With("PKR_VAR_registry=" + registry)
	builders := crowdLab(t, l, n, []string{"base"})
	failed := l.buildAll(builders)
	documents := folderFiles(t, registry)
	lost, duplicated := wantEntries(t, documents, "base", n, 1)
	wantTruePointers(t, documents, "base")
	local, err := os.ReadFile(localmanifest.Default(builders[0].dir, registry, "base"))
	l.check(err)
	if m, err := manifest.Parse(local); err != nil || m.Chain.Seq != n {
		t.Errorf("the local manifest is not the newest manifest: %v\n%s", err, local)
	}
	tally{n, max(lost, failed*n), duplicated}.report(t)
}

// TestAccConcurrent_bucket has several processes build an image of several sources, in a bucket.
func TestAccConcurrent_bucket(t *testing.T) {
	t.Parallel()
	l := newLabIn(t, filepath.Join(t.TempDir(), "repo"))
	sources, runs := 4, figure(2, 4)
	failed := l.buildAll(crowdLab(t, l, sources, slices.Repeat([]string{"base"}, runs)))
	documents := l.bucketFiles()
	lost, duplicated := wantEntries(t, documents, "base", sources, runs)
	wantTruePointers(t, documents, "base")
	tally{sources * runs, max(lost, failed*sources), duplicated}.report(t)
}
