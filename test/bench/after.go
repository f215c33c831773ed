// SPDX-License-Identifier: MPL-2.0

package main

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/ec2/types"

	chain "github.com/packer-chain/packer-plugin-chain/internal/registry"
)

// released is an image with two builds, which one side of a comparison promotes, rolls back and
// revokes. The channel latest is on the second one.
type released struct {
	lab  *lab
	reg  *chain.Registry
	name string
	// builds are the AMIs of each build, by region.
	builds [2]map[string]string
}

// release creates the AMIs of an image in the first n regions, and publishes both builds.
func (l *lab) release(ctx context.Context, name string, n int) (*released, error) {
	reg, err := l.openRegistry("chain")
	if err != nil {
		return nil, err
	}
	r := &released{lab: l, reg: reg, name: name}
	for i := range r.builds {
		r.builds[i] = map[string]string{}
		for _, region := range regions[:n] {
			id, err := l.aws.CreateImage(ctx, region, fmt.Sprintf("%s-%d", name, i))
			if err != nil {
				return nil, err
			}
			r.builds[i][region] = id
		}
		// After all moves of other channels, so that it can be promoted to them.
		decided := committed.Add(time.Hour + time.Duration(i)*time.Second)
		if err := publishIn(ctx, reg, name, i, r.builds[i], decided, "latest"); err != nil {
			return nil, err
		}
	}
	return r, nil
}

// move moves a channel so many times, from one build to the other. It ends on the build last.
func (r *released) move(ctx context.Context, channel string, last, times int) error {
	for left := times - 1; left >= 0; left-- {
		i := (last + left) % 2
		decided := committed.Add(time.Duration(times-left) * time.Second)
		if err := publishIn(ctx, r.reg, r.name, i, r.builds[i], decided, channel); err != nil {
			return err
		}
	}
	return nil
}

// fresh takes from all AMIs the tags of a promotion and of a revocation, and the mark of a
// revocation from the first build: what is measured has to write all of them again.
func (r *released) fresh(ctx context.Context) error {
	for _, build := range r.builds {
		for region, id := range build {
			_, err := r.lab.aws.EC2(region).DeleteTags(ctx, &ec2.DeleteTagsInput{
				Resources: []string{id},
				Tags:      []types.Tag{{Key: aws.String("Release")}, {Key: aws.String("chain:revoked")}},
			})
			if err != nil {
				return err
			}
		}
	}
	stored, err := r.reg.Manifest(ctx, r.name, fingerprint(r.name, 0))
	if err != nil {
		return err
	}
	of := chain.TargetOf(fingerprint(r.name, 0), stored.Manifest.Current())
	_, err = r.reg.Restore(ctx, r.name, of, stored)
	return err
}

// job is one of the three things that are done with a released image, in the plugin's way and in
// that of the glue.
type job struct {
	name string
	// on is the build that the channel is on before.
	on     int
	plugin func(image, channel string) []string
	glue   func(image, channel string) []string
}

const reason = "CVE-2026-0001"

var jobs = []job{
	{
		name: "promote",
		plugin: func(image, channel string) []string {
			return []string{"packer", "build", "-var", "image=" + image, "-var", "to=" + channel, "."}
		},
		glue: func(image, channel string) []string {
			return []string{"promote", image, "latest", channel}
		},
	},
	{
		name: "rollback", on: 1,
		plugin: func(image, channel string) []string {
			return []string{"packer", "build", "-var", "image=" + image, "-var", "channel=" + channel, "."}
		},
		glue: func(image, channel string) []string { return []string{"rollback", image, channel} },
	},
	{
		name: "revoke", on: 1,
		plugin: func(image, _ string) []string {
			return []string{"packer", "build", "-var", "image=" + image,
				"-var", "fingerprint=" + fingerprint(image, 0), "-var", "reason=" + reason, "."}
		},
		glue: func(image, _ string) []string { return []string{"revoke", image, fingerprint(image, 0)} },
	},
}

// command returns a run of the job. Each run has another channel, which has been moved so many
// times before. Only the exit status of a run is checked.
func (j job) command(
	r *released, text string, moves int, argv func(image, channel string) []string, dir string,
) command {
	runs, channel := 0, ""
	return command{
		text: text,
		before: func(ctx context.Context) error {
			runs++
			channel = fmt.Sprintf("%s-%d-%d", j.name, moves, runs)
			if j.name == "revoke" {
				// It reads all channels, so there are as many in each turn.
				channel = fmt.Sprintf("revoke-%d", moves)
			}
			var moved error
			if j.name != "revoke" || runs == 1 {
				moved = r.move(ctx, channel, j.on, moves)
			}
			return errors.Join(moved, r.fresh(ctx))
		},
		run: func(ctx context.Context) error {
			_, err := r.lab.exec(ctx, dir, argv(r.name, channel)...)
			return err
		},
	}
}

func (j job) byPlugin(r *released, moves int) command {
	dir := filepath.Join(r.lab.repo.Dir, j.name)
	return j.command(r, "`packer build` in example/"+j.name, moves, j.plugin, dir)
}

func (j job) byGlue(r *released, moves int) command {
	script := filepath.Join(r.lab.root, "test", "bench", "glue", "release.sh")
	return j.command(r, "`glue/release.sh "+j.name+"`", moves, func(image, channel string) []string {
		return append([]string{"bash", script}, j.glue(image, channel)...)
	}, r.lab.dir)
}

// measureAfter measures what is done with an image in three regions after its build.
func (l *lab) measureAfter(ctx context.Context) error {
	l.env = append(l.env, "REASON="+reason)
	for _, j := range jobs {
		ours, err := l.release(ctx, j.name+"-plugin", wanted)
		if err != nil {
			return err
		}
		theirs, err := l.release(ctx, j.name+"-glue", wanted)
		if err != nil {
			return err
		}
		got, err := l.turns(ctx, 5, j.byPlugin(ours, 2), j.byGlue(theirs, 2))
		if err != nil {
			return err
		}
		l.compare(j.name+"_vs_glue", "ratio at most 0.25", got[0], got[1])
	}
	return nil
}

// measureAfterDepth counts the rounds of each of these, with few and many regions and moves.
func (l *lab) measureAfterDepth(ctx context.Context) error {
	for _, n := range []int{1, 3} {
		for _, moves := range []int{2, remembered} {
			d := afterDepth{Regions: n, Moves: moves}
			for i, depth := range []*int{&d.Promote, &d.Rollback, &d.Revoke} {
				// A rollback leaves a channel on the build that is revoked.
				r, err := l.release(ctx, fmt.Sprintf("%s-%d-%d", jobs[i].name, n, moves), n)
				if err != nil {
					return err
				}
				sent, err := l.countAfter(ctx, jobs[i].byPlugin(r, moves))
				if err != nil {
					return err
				}
				*depth = len(sent)
			}
			l.logf("   %+v", d)
			l.results.After = append(l.results.After, d)
		}
	}
	return nil
}

// countAfter counts the rounds of a command, but not those of its preparation.
func (l *lab) countAfter(ctx context.Context, c command) ([][]string, error) {
	if err := c.before(ctx); err != nil {
		return nil, err
	}
	c.before = nil
	sent, err := l.proxy.rounds.count(ctx, c)
	if err != nil {
		return nil, err
	}
	var lines []string
	for _, round := range sent {
		lines = append(lines, strings.Join(round, ", "))
	}
	text := strings.Join(lines, "\n")
	if !strings.Contains(text, "S3 PUT") || !strings.Contains(text, "EC2") {
		return nil, fmt.Errorf("%s: it wrote nothing, or did not ask EC2:\n%s", c.text, text)
	}
	if !l.quick {
		l.logf("%s\n%s", c.text, strings.Join(lines, "\n"))
	}
	return sent, nil
}
