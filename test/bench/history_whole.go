// SPDX-License-Identifier: MPL-2.0

package main

import (
	"context"
	"fmt"
)

// published is the channel that templates/publish.pkr.hcl moves. What it points at has no AMI, so that the
// look-ups are of another channel.
const published = "published"

// wholeHistory measures what a user waits for with few and with many builds in the registry: runs of Packer
// that resolve, ask whether an image is needed, and publish another build.
func (l *lab) wholeHistory(ctx context.Context, sizes []int, pasts []*past) ([]figure, error) {
	path, run := "path="+l.repoFolder("base"), 0
	jobs := []struct {
		template  string
		variables func() []string
	}{
		{"resolve", func() []string { return []string{"way=registry"} }},
		{"needed", func() []string { return []string{path} }},
		{"publish", func() []string { run++; return []string{path, fmt.Sprintf("run=%d", run)} }},
	}
	many, few := pasts[len(pasts)-1], pasts[0]
	var sides []side
	for _, job := range jobs {
		for _, p := range []*past{many, few} {
			sides = append(sides, func() (float64, error) {
				var args []string
				for _, variable := range append(job.variables(), "image="+p.image) {
					args = append(args, "-var", variable)
				}
				return l.template(ctx, job.template, args...)
			})
		}
	}
	values, err := l.inTurn(20, sides...)
	if err != nil {
		return nil, err
	}
	flat := goal{text: "within 10 %", most: 1.1}
	builds := func(n int) string { return fmt.Sprintf("%d builds in the registry", n) }
	all := figure{name: "history_100k_vs_10", unit: "s", ours: make([]float64, len(values[0])), theirs: make([]float64, len(values[0])),
		us: "the three runs below together, " + builds(sizes[2]), them: "the same, " + builds(sizes[0]), goal: flat}
	var each []figure
	for i, job := range jobs {
		ours, theirs := values[2*i], values[2*i+1]
		all.ours, all.theirs = plus(all.ours, ours), plus(all.theirs, theirs)
		each = append(each, figure{name: "history_" + job.template + "_100k_vs_10", unit: "s", ours: ours, theirs: theirs,
			us: "`packer build templates/" + job.template + ".pkr.hcl`, " + builds(sizes[2]), them: "the same, " + builds(sizes[0]),
			goal: flat})
	}
	return append([]figure{all}, each...), nil
}
