// SPDX-License-Identifier: MPL-2.0

package ami

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/packer-chain/packer-plugin-chain/internal/ami/amitest"
)

// remove expects that two tags are removed from these, whatever their value.
func remove(ids ...string) amitest.Step {
	want := []string{"Tag.1.Key", "chain:reason", "Tag.2.Key", "chain:revoked", "Tag.3.Key", ""}
	for i, id := range append(ids, "") {
		want = append(want, fmt.Sprintf("ResourceId.%d", i+1), id)
	}
	step := amitest.Done("DeleteTags", want...)
	// An empty value would remove only an empty tag.
	step.Absent = []string{"Tag.1.Value", "Tag.2.Value"}
	return step
}

func TestClient_Untag(t *testing.T) {
	bare := amitest.Image{ID: idA, Tags: map[string]string{"chain:image": "base"}}
	full := amitest.Image{ID: idA, Tags: map[string]string{"chain:image": "base", "chain:revoked": ""}}
	for name, tt := range map[string]struct {
		ids, keys []string
		steps     []amitest.Step
	}{
		"at once":                 {steps: []amitest.Step{look(full), remove(idA), look(bare)}},
		"has none":                {steps: []amitest.Step{look(bare)}},
		"image and snapshot":      {ids: []string{"snap-0a1b2c3d", idA, idA}, steps: []amitest.Step{look(full), remove(idA, "snap-0a1b2c3d"), look(bare)}},
		"only the snapshot":       {ids: []string{"snap-0a1b2c3d"}, steps: []amitest.Step{remove("snap-0a1b2c3d")}},
		"perhaps on the snapshot": {ids: []string{idA, "snap-0a1b2c3d"}, steps: []amitest.Step{look(bare), remove("snap-0a1b2c3d")}},
		"one of two images": {ids: []string{idA, idB}, steps: []amitest.Step{
			look(full, amitest.Image{ID: idB}), remove(idA), look(bare)}},
		"not gone yet": {steps: []amitest.Step{look(full), remove(idA), look(full), look(full), look(bare)}},
		"throttled": {steps: []amitest.Step{amitest.Throttled().On("DescribeImages"), look(full),
			amitest.Throttled().On("DeleteTags"), remove(idA), amitest.Throttled().On("DescribeImages"), look(bare)}},
		"no ids":  {ids: []string{}},
		"no keys": {keys: []string{}},
	} {
		t.Run(name, func(t *testing.T) {
			if tt.ids == nil {
				tt.ids = []string{idA}
			}
			if tt.keys == nil {
				tt.keys = []string{"chain:revoked", "chain:reason", "chain:revoked"}
			}
			synctest.Test(t, func(t *testing.T) {
				c, _ := script(t, tt.steps...)
				if err := c.Untag(t.Context(), "eu-west-1", tt.ids, tt.keys...); err != nil {
					t.Error(err)
				}
			})
		})
	}
}

func TestClient_Untag_refused(t *testing.T) {
	const where = "untag " + idA + " in eu-west-1: "
	full := look(amitest.Image{ID: idA, Tags: map[string]string{"chain:revoked": "leaked"}})
	for name, tt := range map[string]struct {
		ids   []string
		steps []amitest.Step
		want  string
	}{
		"look denied": {steps: []amitest.Step{amitest.Refuse(403, "UnauthorizedOperation", "no").On("DescribeImages")},
			want: where + "ec2:DescribeImages is not allowed"},
		"write denied": {steps: []amitest.Step{full, amitest.Refuse(403, "UnauthorizedOperation", "no").On("DeleteTags")},
			want: where + "ec2:DeleteTags is not allowed"},
		"gone":      {steps: []amitest.Step{amitest.NotFound().On("DescribeImages")}, want: where + "it does not exist"},
		"not shown": {steps: []amitest.Step{look()}, want: where + "it does not exist"},
		"not an id": {ids: []string{"i-0a1b2c3d"}, want: `untag "i-0a1b2c3d" in eu-west-1: not the id of an AMI or a snapshot`},
		"never gone": {steps: append([]amitest.Step{full, remove(idA)}, amitest.Times(6, full)...),
			want: where + "gave up after 10s: EC2 accepted it, but still shows chain:reason or chain:revoked on " + idA},
	} {
		t.Run(name, func(t *testing.T) {
			if tt.ids == nil {
				tt.ids = []string{idA}
			}
			synctest.Test(t, func(t *testing.T) {
				c, _ := script(t, tt.steps...)
				ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
				defer cancel()
				err := c.Untag(ctx, "eu-west-1", tt.ids, "chain:revoked", "chain:reason")
				if err == nil || !strings.HasPrefix(err.Error(), tt.want) {
					t.Errorf("got %v, want %s", err, tt.want)
				}
				if late := strings.Contains(tt.want, "gave up"); errors.Is(err, context.DeadlineExceeded) != late {
					t.Errorf("got %v, which is the deadline or not", err)
				}
			})
		})
	}
}
