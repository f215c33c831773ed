// SPDX-License-Identifier: MPL-2.0

package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os/exec"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/packer-chain/packer-plugin-chain/internal/manifest"
	"github.com/packer-chain/packer-plugin-chain/internal/manifest/manifesttest"
	"github.com/packer-chain/packer-plugin-chain/internal/registry"
	"github.com/packer-chain/packer-plugin-chain/internal/store/storetest/memstore"
	"github.com/packer-chain/packer-plugin-chain/internal/text"
)

const (
	hostileImage = "app"
	hostileBuild = "app/builds/" + hostilePrint + ".json"
	hostilePrint = "5f70bf18a086007016e948b04aed3b82103a36bea41755b6cddfaf10ace3c6ef"

	hostileRef    = "latest"
	hostileRefKey = "app/refs/latest.json"
)

// trial writes where body lies, and tells what went wrong. With refuse the body must stay as it is.
type trial func(ctx context.Context, body []byte, refuse bool) error

// promiseHostile publishes, and moves refs, where other documents lie than ours: the ones of package hostile, and ours with
// bytes changed by chance. What is not ours must stay as it is; what still is must be read with one build
// more. Lost counts what was overwritten or became unreadable, and panics.
func promiseHostile(ctx context.Context, r *Run) (Result, error) {
	good, err := goodDocument(ctx)
	if err != nil {
		return Result{}, err
	}
	result := Result{Note: "documents replaced by others; see also the tests TestHostile of each component"}
	var broken error
	try := func(on trial, name string, body []byte, refuse bool) {
		result.Tried++
		if err := on(ctx, body, refuse); err != nil {
			result.Lost++
			broken = errors.Join(broken, fmt.Errorf("%s: %w: %.300q", name, err, body))
		}
	}
	for _, doc := range manifesttest.Manifests(good, hostileImage, hostilePrint) {
		if len(doc.Body) <= manifest.MaxSize {
			try(tryDocument, doc.Name, doc.Body, true)
		}
	}
	for _, doc := range manifesttest.Refs(hostileImage, hostileRef, hostilePrint) {
		if len(doc.Body) <= manifest.MaxSize {
			try(tryMove, "ref, "+doc.Name, doc.Body, true)
		}
	}
	goodRef, err := goodRefDocument(ctx)
	if err != nil {
		return result, err
	}
	random := r.Random(0)
	for i := range r.Pick(3_000, 150_000) {
		if ctx.Err() != nil || result.Lost > 10 {
			break
		}
		name := fmt.Sprintf("mutation %d", i)
		if i%2 == 0 {
			try(tryDocument, name, mutate(random, good), false)
		} else {
			try(tryMove, "ref, "+name, mutate(random, goodRef), false)
		}
	}
	return result, broken
}

func hostileEntry(run string) manifest.Entry {
	return manifest.Entry{Name: "image", BuilderType: "file", PackerRunUUID: run, ArtifactID: "File",
		Images: []manifest.Image{{Provider: "docker", ID: "sha256:" + hostilePrint}}}
}

func goodDocument(ctx context.Context) ([]byte, error) {
	facts := manifest.Chain{Image: hostileImage, Fingerprint: hostilePrint, Sources: []string{"file.image"}}
	stored, err := registry.New(memstore.New()).Publish(ctx, []manifest.Entry{hostileEntry("run1")}, facts)
	return stored.Body, err
}

// tryDocument publishes at an address where body lies.
func tryDocument(ctx context.Context, body []byte, refuse bool) (err error) {
	defer func() {
		if cause := recover(); cause != nil {
			err = fmt.Errorf("panic: %v", cause)
		}
	}()
	mem := memstore.New()
	if _, err := mem.Put(ctx, hostileBuild, body, ""); err != nil {
		return err
	}
	facts := manifest.Chain{Image: hostileImage, Fingerprint: hostilePrint}
	stored, publishErr := registry.New(mem).Publish(ctx, []manifest.Entry{hostileEntry("run2")}, facts)
	after, err := mem.Get(ctx, hostileBuild)
	switch before, parseErr := manifest.Read(body, hostileImage, hostilePrint); {
	case err != nil:
		return err
	case publishErr != nil && !bytes.Equal(after.Body, body):
		return errors.New("refused, and changed")
	case publishErr != nil:
		return nil
	case refuse || parseErr != nil:
		return errors.New("overwritten")
	case len(stored.Manifest.Unknown(before.Builds)) > 0:
		return errors.New("a build was lost")
	case len(stored.Manifest.Unknown([]manifest.Entry{hostileEntry("run2")})) > 0:
		return errors.New("the new build is not there")
	}
	return nil
}

func goodRefDocument(ctx context.Context) ([]byte, error) {
	mem := memstore.New()
	if _, err := registry.New(mem).Move(ctx, hostileImage, hostileRef, hostileTarget("1"), registry.Always, "torture"); err != nil {
		return nil, err
	}
	object, err := mem.Get(ctx, hostileRefKey)
	return object.Body, err
}

func hostileTarget(commit string) registry.Target {
	return registry.Target{
		Fingerprint: hostilePrint, ManifestSeq: 1, ManifestSHA256: text.SHA256(commit), Commit: commit,
	}
}

// tryMove moves the ref at whose address body lies.
func tryMove(ctx context.Context, body []byte, refuse bool) (err error) {
	defer func() {
		if cause := recover(); cause != nil {
			err = fmt.Errorf("panic: %v", cause)
		}
	}()
	mem := memstore.New()
	if _, err := mem.Put(ctx, hostileRefKey, body, ""); err != nil {
		return err
	}
	reg := registry.New(mem)
	_, parseErr := reg.Ref(ctx, hostileImage, hostileRef)
	_, moveErr := reg.Move(ctx, hostileImage, hostileRef, hostileTarget("2"), registry.Always, "torture")
	after, err := mem.Get(ctx, hostileRefKey)
	switch {
	case err != nil:
		return err
	case moveErr != nil && !bytes.Equal(after.Body, body):
		return errors.New("refused, and changed")
	case moveErr != nil:
		return nil
	case refuse || parseErr != nil:
		return errors.New("overwritten")
	}
	ref, err := reg.Ref(ctx, hostileImage, hostileRef)
	// A ref that says that it knows a newer manifest of the build stays with that.
	if err == nil && ref.Commit != "2" && ref.ManifestSeq <= 1 {
		err = errors.New("the move is not there")
	}
	return err
}

// scraps are what a mutation puts in.
var scraps = []string{
	`"`, `{`, `}`, `[`, `]`, `,`, `null`, `-1`, `9223372036854775807`, `1e999`, `"seq": 7,`, `"Seq": 7,`, "\x00", "\xff",
	`"schema": 2,`, `\ud800`, `"builds": [],`, `"chain": {},`, `{"images":[{"provider":"aws"}]},`, "true", `"\n"`,
}

// mutate changes a document in up to three places.
func mutate(random *rand.Rand, good []byte) []byte {
	body := bytes.Clone(good)
	for range 1 + random.IntN(3) {
		at := random.IntN(len(body))
		end := min(len(body), at+random.IntN(40))
		switch random.IntN(5) {
		case 0:
			body[at] ^= 1 << random.IntN(8)
		case 1:
			body = append(body[:at:at], body[end:]...)
		case 2:
			body = append(body[:end:end], body[at:]...)
		case 3:
			body = append(append(body[:at:at], scraps[random.IntN(len(scraps))]...), body[at:]...)
		default:
			body = append(append(body[:at:at], scraps[random.IntN(len(scraps))]...), body[end:]...)
		}
		if len(body) == 0 {
			return body
		}
	}
	return body
}

// fuzzedDocuments are the fuzz tests of what others may write, fuzzedTexts the rest.
const (
	fuzzedDocuments = "FuzzRewrite|FuzzRef|FuzzDecode|FuzzFromID|FuzzState|FuzzLocation|FuzzAnswers|FuzzParseStatus"
	fuzzedTexts     = "FuzzScrub|FuzzCanonical|FuzzText|FuzzDiff|FuzzValue|FuzzOneLine"
)

func promiseFuzzDocuments(ctx context.Context, r *Run) (Result, error) {
	return runFuzz(ctx, r, r.Pick(20, 30), fuzzedDocuments)
}

func promiseFuzzTexts(ctx context.Context, r *Run) (Result, error) {
	return runFuzz(ctx, r, r.Pick(20, 30), fuzzedTexts)
}

// fuzzLine is how scripts/fuzz says that a fuzz test ended.
var fuzzLine = regexp.MustCompile(`(?m)^(Fuzz\S+)\s+\S+\s+(FAILED|execs: (\d+))`)

// runFuzz runs fuzz tests, for seconds each. go test without it runs what is in their testdata.
func runFuzz(ctx context.Context, r *Run, seconds int, names string) (Result, error) {
	if testing.Testing() {
		return Result{Note: "go test ./... repeats the corpus"}, nil
	}
	root, err := repository()
	if err != nil {
		return Result{}, err
	}
	cmd := exec.CommandContext(ctx, "scripts/fuzz", fmt.Sprintf("%ds", seconds), names)
	cmd.Dir = root
	out, err := cmd.CombinedOutput()
	var result Result
	ran := fuzzLine.FindAllStringSubmatch(string(out), -1)
	for _, line := range ran {
		inputs, _ := strconv.Atoi(line[3])
		result.Tried += inputs
		if line[2] == "FAILED" {
			result.Lost++
		}
	}
	result.Note = fmt.Sprintf("%d fuzz tests, %d s each", len(ran), seconds)
	if want := strings.Count(names, "|") + 1; err == nil && len(ran) != want {
		err = fmt.Errorf("%d fuzz tests ran, not %d", len(ran), want)
	}
	if err != nil {
		r.Logf("%s", strings.TrimSpace(string(out)))
		return result, fmt.Errorf("scripts/fuzz: %w", err)
	}
	return result, nil
}
