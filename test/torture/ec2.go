// SPDX-License-Identifier: MPL-2.0

package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"time"

	"github.com/packer-chain/packer-plugin-chain/internal/access"
	"github.com/packer-chain/packer-plugin-chain/internal/ami"
	"github.com/packer-chain/packer-plugin-chain/internal/ami/amitest"
)

const tortureAMI = "ami-0a1b2c3d4e5f60718"

var tortureTags = map[string]string{"chain:image": "base"}

// promiseEC2 tags an AMI in many regions at once. In region k EC2 is wrong k times in a row at each step:
// it does not know the AMI, throttles, fails, says that the AMI is pending, or hides the tags. In the last
// region it refuses the tags. Every other region must be tagged, once, and the error must name that one.
func promiseEC2(ctx context.Context, r *Run) (Result, error) {
	const refused = "eu-south-1"
	scripts := map[string][]amitest.Step{refused: {
		wholeImage(nil), wholeImage(nil), amitest.Refuse(403, "UnauthorizedOperation", "no").On("CreateTags")}}
	for k := range r.Pick(5, 21) {
		scripts[fmt.Sprintf("eu-west-%d", k+1)] = lateRegion(r.Random(uint64(k)), k)
	}
	server := amitest.Serve(scripts)
	err := tagEverywhere(ctx, server.URL, scripts)
	result := Result{Tried: len(scripts), Note: fmt.Sprintf("up to %d wrong answers in a row at each of 3 steps", len(scripts)-2)}
	// Two lines are of the region that must be refused: what is wrong, and what to do.
	want := "tag " + tortureAMI + " in " + refused + ": ec2:CreateTags is not allowed"
	if err == nil || !strings.HasPrefix(err.Error(), want) {
		result.Lost++
	}
	for region, steps := range scripts {
		wrote := server.Seen(region, "CreateTags")
		needed := 0
		for _, step := range steps {
			if step.Want["Action"] == "CreateTags" {
				needed++
			}
		}
		result.Lost += max(needed-wrote, 0)
		result.Duplicated += max(wrote-needed, 0)
	}
	if broken := server.Close(); broken != nil {
		return result, fmt.Errorf("requests that are not needed, or did not come: %w (and the error was: %w)", broken, err)
	}
	if result.Lost > 0 {
		return result, fmt.Errorf("the error of the region that refuses is not the one: %w", errors.Join(err))
	}
	return result, nil
}

// tagEverywhere does what a publication does in each region.
func tagEverywhere(ctx context.Context, endpoint string, scripts map[string][]amitest.Step) error {
	images, err := access.Open(ctx, &access.Config{
		Region: "eu-west-1", AccessKey: "AKIDEXAMPLE", SecretKey: "secret", CustomEndpointEc2: endpoint}, "", nil).EC2()
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, 7*time.Minute)
	defer cancel()
	var regions []string
	for region := range scripts {
		regions = append(regions, region)
	}
	slices.Sort(regions)
	return ami.EachRegion(ctx, regions, len(regions), func(ctx context.Context, region string) error {
		if _, err := images.Await(ctx, region, []string{tortureAMI}); err != nil {
			return err
		}
		return images.Tag(ctx, region, []string{tortureAMI}, tortureTags)
	})
}

func wholeImage(tags map[string]string) amitest.Step {
	return amitest.Describe(amitest.Image{ID: tortureAMI, Tags: tags})
}

// lateRegion is a region that is wrong k times at each step, and then right.
func lateRegion(random *rand.Rand, k int) []amitest.Step {
	busy := []amitest.Step{
		amitest.NotFound(), amitest.Throttled(), amitest.Refuse(400, "Throttling", "later"),
		amitest.Refuse(500, "InternalError", "oops"), {Status: 502, Body: "<html>"},
	}
	wrong := func(action string, more ...amitest.Step) []amitest.Step {
		choice := append(slices.Clone(busy), more...)
		var steps []amitest.Step
		for range k {
			steps = append(steps, choice[random.IntN(len(choice))].On(action))
		}
		return steps
	}
	pending := amitest.Describe(amitest.Image{ID: tortureAMI, State: "pending"})
	return slices.Concat(
		wrong("DescribeImages", amitest.Describe(), pending), []amitest.Step{wholeImage(nil), wholeImage(nil)},
		wrong("CreateTags"), []amitest.Step{amitest.Tag(tortureAMI)},
		wrong("DescribeImages", amitest.Describe(), wholeImage(nil)), []amitest.Step{wholeImage(tortureTags)})
}
