// SPDX-License-Identifier: MPL-2.0

package registry

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/packer-chain/packer-plugin-chain/internal/manifest"
	"github.com/packer-chain/packer-plugin-chain/internal/manifest/manifesttest"
	"github.com/packer-chain/packer-plugin-chain/internal/store/storetest/memstore"
	"github.com/packer-chain/packer-plugin-chain/internal/text"
)

const (
	ami1 = "ami-0a1b2c3d4e5f60718"
	ami2 = "ami-0b1b2c3d4e5f60718"
)

// made is what one run of one source made: AMIs as "region ami architecture".
func made(run, source string, amis ...string) manifest.Entry {
	builder, name, _ := strings.Cut(source, ".")
	e := manifest.Entry{Name: name, BuilderType: builder, PackerRunUUID: run, ArtifactID: "id-of-" + run}
	for _, ami := range amis {
		part := strings.Fields(ami + " x86_64")
		e.Images = append(e.Images,
			manifest.Image{Provider: manifest.ProviderAWS, Region: part[0], ID: part[1], Architecture: part[2]})
	}
	return e
}

func TestName(t *testing.T) {
	for name, want := range map[Name][2]string{
		{Channel, "latest"}: {"channel latest", "app/channels/latest.json"},
		{Line, "pr-42"}:     {"line pr-42", "app/lines/pr-42.json"},
	} {
		if got := [2]string{name.String(), name.Key("app")}; got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}

func TestTargetOf(t *testing.T) {
	docker := made("run1", "docker.app")
	docker.Images = []manifest.Image{{Provider: "docker", ID: "sha256:1", Architecture: "arm"}}
	for name, tt := range map[string]struct {
		entries       []manifest.Entry
		builds        []Build
		architectures []string
		amis          map[string]string
	}{
		"one AMI": {
			entries:       []manifest.Entry{made("run1", "amazon-ebs.app", "eu-west-1 "+ami1)},
			builds:        []Build{{Source: "amazon-ebs.app", Run: "run1", AMIs: map[string]string{"eu-west-1": ami1}, Architecture: "x86_64"}},
			architectures: []string{"x86_64"}, amis: map[string]string{"eu-west-1": ami1},
		},
		"two regions": {
			entries:       []manifest.Entry{made("run1", "amazon-ebs.app", "eu-west-1 "+ami1, "us-east-1 "+ami2)},
			builds:        []Build{{Source: "amazon-ebs.app", Run: "run1", AMIs: map[string]string{"eu-west-1": ami1, "us-east-1": ami2}, Architecture: "x86_64"}},
			architectures: []string{"x86_64"}, amis: map[string]string{"eu-west-1": ami1, "us-east-1": ami2},
		},
		"two sources": {
			entries: []manifest.Entry{
				made("run2", "amazon-ebs.b", "eu-west-1 "+ami1+" x86_64"), made("run1", "amazon-ebs.a", "eu-west-1 "+ami2+" arm64"),
			},
			builds: []Build{
				{Source: "amazon-ebs.a", Run: "run1", AMIs: map[string]string{"eu-west-1": ami2}, Architecture: "arm64"},
				{Source: "amazon-ebs.b", Run: "run2", AMIs: map[string]string{"eu-west-1": ami1}, Architecture: "x86_64"},
			},
			architectures: []string{"arm64", "x86_64"},
			amis:          map[string]string{"eu-west-1/amazon-ebs.a": ami2, "eu-west-1/amazon-ebs.b": ami1},
		},
		"no AMI": {
			entries: []manifest.Entry{docker},
			builds:  []Build{{Source: "docker.app", Run: "run1", ArtifactID: "id-of-run1"}}, amis: map[string]string{},
		},
		"nothing": {amis: map[string]string{}},
	} {
		t.Run(name, func(t *testing.T) {
			got := TargetOf(fp1, tt.entries)
			if diff := cmp.Diff(Target{Fingerprint: fp1, Builds: tt.builds}, got); diff != "" || !slices.Equal(tt.architectures, got.Architectures()) {
				t.Error(diff, got.Architectures())
			}
			if diff := cmp.Diff(tt.amis, got.AMIs()); diff != "" {
				t.Error(diff)
			}
			if !maps.Equal(got.AMIs(), manifest.AMIMap(tt.entries)) {
				t.Errorf("the manifest says %v, the pointer %v", manifest.AMIMap(tt.entries), got.AMIs())
			}
		})
	}
}

func TestTarget_Entries(t *testing.T) {
	old, now := made("run1", "amazon-ebs.app", "eu-west-1 "+ami1), made("run2", "amazon-ebs.app", "eu-west-1 "+ami2)
	both := made("run1", "amazon-ebs.app", "eu-west-1 "+ami1, "us-east-1 "+ami2)
	arm := made("run3", "amazon-ebs.arm", "eu-west-1 "+ami2)
	file, renamed := made("run1", "file.app"), made("run1", "file.app")
	renamed.ArtifactID = "another"
	revoked := old
	revoked.Revoked = manifesttest.Revoked("bad kernel", minute(1))
	entries := func(e ...manifest.Entry) []manifest.Entry { return e }
	for name, tt := range map[string]struct {
		pinned, have, want []manifest.Entry
		complete           bool
	}{
		"it is there":             {entries(now), entries(old, now), entries(now), true},
		"an older run":            {entries(old), entries(old, now), entries(old), true},
		"revoked since":           {entries(old), entries(revoked, now), entries(revoked), true},
		"not an AMI":              {entries(file), entries(old, file), entries(file), true},
		"two sources":             {entries(arm, now), entries(arm, old, now), entries(now, arm), true},
		"one of two":              {entries(arm, now), entries(old, now), entries(now), false},
		"another run":             {entries(now), entries(old), nil, false},
		"one region less":         {entries(both), entries(old), nil, false},
		"one region more":         {entries(old), entries(both), nil, false},
		"an AMI in another place": {entries(old), entries(made("run1", "amazon-ebs.app", "us-east-1 "+ami1)), nil, false},
		"another source":          {entries(arm), entries(made("run3", "amazon-ebs.x", "eu-west-1 "+ami2)), nil, false},
		"a file of another run":   {entries(file), entries(made("run2", "file.app")), nil, false},
		"a file of another name":  {entries(file), entries(renamed), nil, false},
		"nothing":                 {entries(now), nil, nil, false},
	} {
		t.Run(name, func(t *testing.T) {
			to := TargetOf(fp1, tt.pinned)
			got, complete := to.Entries(&manifest.Manifest{Builds: tt.have})
			if diff := cmp.Diff(tt.want, got); diff != "" || complete != tt.complete {
				t.Errorf("complete is %v: %s", complete, diff)
			}
			for _, e := range tt.have {
				pinned := slices.ContainsFunc(tt.want, func(w manifest.Entry) bool { return cmp.Equal(w, e) })
				if to.Has(e) != pinned {
					t.Errorf("Has(%s of %s) is %v", e.Source(), e.PackerRunUUID, to.Has(e))
				}
			}
		})
	}
}

// moved are the moves of a line, newest first: what they are of, by commit and content.
func moved() *Pointer {
	of := func(id, commit string, content map[string]string) Move {
		to := Target{Content: content, GitSHA: content["app"], Position: Position{Commit: commit}}
		return Move{WriteID: id, Target: to}
	}
	return &Pointer{Moves: []Move{
		of("5", "c4", map[string]string{"app": "1", "base": "2", "shared/lib": "3"}),
		of("4", "c2", map[string]string{"app": "1", "base": "1"}),
		of("3", "c2", map[string]string{"app": "2", "base": "1"}),
		of("2", "c1", map[string]string{"app": "1", "base": "1"}),
		of("1", "", nil),
	}}
}

func TestPointer_OfCommit(t *testing.T) {
	for commit, want := range map[string]string{"c4": "5", "c2": "4", "c1": "2", "c3": "", "": ""} {
		got, ok := moved().OfCommit(commit)
		if got.WriteID != want || ok != (want != "") {
			t.Errorf("%q: got %q, want %q", commit, got.WriteID, want)
		}
	}
}

func TestPointer_OfContent(t *testing.T) {
	for name, tt := range map[string]struct {
		folder string
		have   map[string]string
		want   string
	}{
		"the newest of this content":       {"app", map[string]string{"app": "1", "base": "1"}, "4"},
		"with an extra path":               {"app", map[string]string{"app": "1", "base": "2", "shared/lib": "3"}, "5"},
		"more than it names":               {"app", map[string]string{"app": "2", "base": "1", "shared/lib": "9"}, "3"},
		"an extra path that has changed":   {"app", map[string]string{"app": "1", "base": "2", "shared/lib": "4"}, ""},
		"an ancestor that is gone":         {"app", map[string]string{"app": "1"}, ""},
		"an ancestor that has changed":     {"app", map[string]string{"app": "1", "base": "3"}, ""},
		"the folder of another image":      {"other", map[string]string{"app": "1", "base": "1", "other": "1"}, ""},
		"nothing":                          {"app", nil, ""},
		"a folder that nothing was of yet": {"", map[string]string{"": "1"}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			got, ok := moved().OfContent(tt.folder, tt.have, nil)
			if got.WriteID != tt.want || ok != (tt.want != "") {
				t.Errorf("got %q, want %q", got.WriteID, tt.want)
			}
		})
	}
}

func TestPointer_OfGitSHA(t *testing.T) {
	for sha, want := range map[string]string{"1": "5", "2": "3", "9": ""} {
		got, ok := moved().OfGitSHA(sha)
		if got.WriteID != want || ok != (want != "") {
			t.Errorf("%q: got %q, want %q", sha, got.WriteID, want)
		}
	}
}

// Readers with other tools believe the fields at the top, so no document may say one thing there and
// another in its newest move.
func TestPointer_disagrees(t *testing.T) {
	good := string(manifesttest.Pointer(image, "latest", fp1))
	for name, replace := range map[string][2]string{
		"fingerprint": {`"fingerprint": "` + fp1, `"fingerprint": "` + fp2},
		"AMI":         {manifesttest.ForeignAMI, ami1},
		"region":      {`"eu-west-1"`, `"us-east-1"`},
		"more AMIs":   {`"amis": {`, `"amis": {"us-east-1": "` + ami1 + `", `},
		"no AMIs":     {`"amis": {"eu-west-1": "` + manifesttest.ForeignAMI + `"}`, `"amis": {}`},
	} {
		t.Run(name, func(t *testing.T) {
			_, reg := planted(t, latest.Key(image), []byte(strings.Replace(good, replace[0], replace[1], 1)))
			_, err := reg.Pointer(t.Context(), image, latest)
			if !errors.Is(err, manifest.ErrCorrupt) || !strings.Contains(err.Error(), "differ from those of the newest move") {
				t.Errorf("got %v", err)
			}
		})
	}
}

// A history with very many paths must not keep a channel from moving: the oldest moves go.
func TestMove_tooLarge(t *testing.T) {
	reg := New(memstore.New())
	content := map[string]string{}
	for i := range 400 {
		content[fmt.Sprintf("shared/%s/%d", strings.Repeat("x", 100), i)] = sha("x")
	}
	for i := range 20 {
		req := run{commit: fmt.Sprint(i), decided: i, image: fmt.Sprint(i)}.request(latest, nil)
		req.To.Content = content
		got, p := move(t, reg, req)
		if i > 0 && got.Outcome != Moved {
			t.Fatalf("move %d: got %+v", i, got)
		}
		if p.Moves[0].Commit != sha(fmt.Sprint(i)) || p.Seq != int64(i+1) || p.Mark.Commit != p.Moves[0].Commit {
			t.Fatalf("move %d: the newest is of %s, seq %d", i, p.Moves[0].Commit, p.Seq)
		}
		if i > 0 && (len(p.Moves) < 2 || p.Moves[1].Commit != sha(fmt.Sprint(i-1))) {
			t.Fatalf("move %d: the one before is gone, too", i)
		}
	}
	huge := run{commit: "huge", decided: 50, image: "huge"}.request(latest, nil)
	huge.To.Origin = strings.Repeat("x", manifest.MaxSize)
	_, err := reg.Move(t.Context(), huge, nil)
	want := "write memory://snowflake/channels/latest.json: it would be unreadable: document is too large: "
	if err == nil || !strings.HasPrefix(err.Error(), want) {
		t.Errorf("got %.300v", err)
	}
	p, err := reg.Pointer(t.Context(), image, latest)
	if err != nil || p.Seq != 20 || p.Fingerprint != text.SHA256("19") {
		t.Errorf("the pointer is not as it was: %v", err)
	}
}

// With path-filtered jobs, a repeated run of an old green job became the newest move of main, and
// the next child was built on the image that the fix had replaced.
func TestPointer_OfContent_repeatedRun(t *testing.T) {
	content := map[string]string{"base": "tree"}
	at := func(commit string, day int) Move {
		when := time.Date(2026, 3, day, 0, 0, 0, 0, time.UTC)
		return Move{Target: Target{Fingerprint: commit, Content: content, Position: Position{
			Commit: commit, CommitTime: when, DecidedAt: when}}}
	}
	repeated, fixed, old := at("old", 1), at("fix", 2), at("old", 1)
	repeated.DecidedAt = repeated.DecidedAt.AddDate(0, 0, 5)
	moves := []Move{repeated, fixed, old}
	for kind, want := range map[Kind]string{Line: "fix", Channel: "old"} {
		p := &Pointer{Kind: kind, Moves: moves}
		if move, ok := p.OfContent("base", content, nil); !ok || move.Fingerprint != want {
			t.Errorf("%s: got %s, want %s", kind, move.Fingerprint, want)
		}
	}
	// The clock of the fix was slow, but it is a descendant.
	slow := at("fix", 1)
	slow.CommitTime = slow.CommitTime.Add(-time.Hour)
	p := &Pointer{Kind: Line, Moves: []Move{repeated, slow}}
	known := func(older, newer string) bool { return older == "old" && newer == "fix" }
	if move, _ := p.OfContent("base", content, known); move.Fingerprint != "fix" {
		t.Errorf("got %s", move.Fingerprint)
	}
}
