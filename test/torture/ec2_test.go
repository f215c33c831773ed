// SPDX-License-Identifier: MPL-2.0

package torture

import (
	"context"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/packer-chain/packer-plugin-chain/internal/access"
	"github.com/packer-chain/packer-plugin-chain/internal/ami"
	"github.com/packer-chain/packer-plugin-chain/internal/ami/amitest"
)

const tortureAMI = "ami-0a1b2c3d4e5f60718"

var tortureTags = map[string]string{"chain:image": "base"}

// TestEC2 tags an AMI in many regions at once. In region k EC2 is wrong k times in a row at each
// step: it does not know the AMI, throttles, fails, reports the AMI as pending, or hides the tags.
// In the last region it refuses the tags. Every other region must be tagged, once, and the error
// must name that one.
func TestEC2(t *testing.T) {
	ctx, n := begin(t)
	const refused = "eu-south-1"
	scripts := map[string][]amitest.Step{refused: {wholeImage(nil), wholeImage(nil),
		amitest.Refuse(403, "UnauthorizedOperation", "no").On("CreateTags")}}
	chance := random(t)
	for k := range figure(5, 21) {
		scripts[fmt.Sprintf("eu-west-%d", k+1)] = lateRegion(chance, k)
	}
	n.note = fmt.Sprintf("up to %d wrong responses in a row at each of 3 steps", len(scripts)-2)
	server := amitest.Start(t, scripts)
	err := tagEverywhere(ctx, server.URL, slices.Sorted(maps.Keys(scripts)))
	want := "tag " + tortureAMI + " in " + refused + ": ec2:CreateTags is not allowed"
	if err == nil || !strings.HasPrefix(err.Error(), want) {
		n.count(0, 1, 0)
		t.Errorf("error %v, want %s", err, want)
	}
	for region, steps := range scripts {
		wrote := server.Seen(region, "CreateTags")
		needed := 0
		for _, step := range steps {
			if step.Want["Action"] == "CreateTags" {
				needed++
			}
		}
		n.count(1, max(needed-wrote, 0), max(wrote-needed, 0))
	}
}

// tagEverywhere does what a publication does in each region.
func tagEverywhere(ctx context.Context, endpoint string, regions []string) error {
	images, err := access.Open(ctx, &access.Config{Region: "eu-west-1",
		AccessKey: "AKIDEXAMPLE", SecretKey: "secret", CustomEndpointEc2: endpoint}, "", nil).EC2()
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, 7*time.Minute)
	defer cancel()
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

// lateRegion returns the script of a region that is wrong k times at each step, and then right.
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
		wrong("DescribeImages", amitest.Describe(), pending),
		[]amitest.Step{wholeImage(nil), wholeImage(nil)},
		wrong("CreateTags"), []amitest.Step{amitest.Tag(tortureAMI)},
		wrong("DescribeImages", amitest.Describe(), wholeImage(nil)),
		[]amitest.Step{wholeImage(tortureTags)})
}
