// SPDX-License-Identifier: MPL-2.0

package main

import "context"

// lookup measures one look-up of a parent, in a template that does nothing else.
func lookup(ctx context.Context, l *lab) (findings, error) {
	if err := l.buildChains(ctx); err != nil {
		return findings{}, err
	}
	sha, err := l.gitName(ctx, "base")
	if err != nil {
		return findings{}, err
	}
	values, err := l.inTurn(20,
		func() (float64, error) { return l.resolve(ctx, "registry") },
		func() (float64, error) { return l.resolve(ctx, "tag") },
		func() (float64, error) { return l.template(ctx, "amazon", "-var", "sha="+sha) },
		func() (float64, error) { return l.template(ctx, "floor") })
	if err != nil {
		return findings{}, err
	}
	byRegistry, byTag, amazon, floor := values[0], values[1], values[2], values[3]
	const (
		them = "`packer build templates/amazon.pkr.hcl`: `data \"amazon-ami\"` by tag"
		less = ", less the floor of the same turn"
	)
	us := func(way string) string { return "`packer build -var way=" + way + " templates/resolve.pkr.hcl`" }
	faster := goal{text: "not slower", most: 1}
	return findings{figures: []figure{
		{name: "lookup_registry_vs_amazon_ami", unit: "s", ours: byRegistry, theirs: amazon,
			us: us("registry"), them: them, goal: faster},
		{name: "lookup_tag_vs_amazon_ami", unit: "s", ours: byTag, theirs: amazon,
			us: us("tag"), them: them, goal: faster},
		{name: "lookup_registry_own_time", unit: "s", ours: minus(byRegistry, floor), theirs: minus(amazon, floor),
			us: us("registry") + less, them: them + less, goal: faster},
		{name: "lookup_tag_own_time", unit: "s", ours: minus(byTag, floor), theirs: minus(amazon, floor),
			us: us("tag") + less, them: them + less, goal: faster},
	}}, nil
}

// resolve is a template with one data "chain" that resolves base in one way, and nothing else.
func (l *lab) resolve(ctx context.Context, way string, more ...string) (float64, error) {
	args := []string{"-var", "way=" + way, "-var", "image=baseline-ubuntu", "-var", "path=" + l.repoFolder("base")}
	return l.template(ctx, "resolve", append(args, more...)...)
}
