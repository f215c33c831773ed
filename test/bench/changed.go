// SPDX-License-Identifier: MPL-2.0

package main

import (
	"context"
	"fmt"
)

// changed measures what a build takes longer because it is part of a chain: the look-ups before it, and
// tags in three regions and the manifest after it.
func changed(ctx context.Context, l *lab) (findings, error) {
	if err := l.buildChains(ctx); err != nil {
		return findings{}, err
	}
	var sent [2]trace
	values, err := l.inTurn(10,
		func() (float64, error) {
			if err := l.change(ctx); err != nil {
				return 0, err
			}
			l.proxy.take()
			took, err := l.build(ctx, l.repoFolder("snowflake"), copyTo(wanted)...)
			sent[0] = l.proxy.take().by(isChainPlugin)
			return took, err
		},
		func() (float64, error) {
			took, err := l.gluedSnowflake(ctx, wanted)
			sent[1] = l.proxy.take().by(isCLI)
			return took, err
		},
		func() (float64, error) { return l.bake(ctx, wanted) })
	if err != nil {
		return findings{}, err
	}
	for i, least := range []int{6, 6} {
		if len(sent[i]) < least {
			return findings{}, fmt.Errorf("only %d requests were sent besides the bake:\n%s", len(sent[i]), sent[i])
		}
	}
	const (
		us   = "`packer build snowflake` after a commit, 3 regions"
		them = "`glue/build.sh build snowflake base` after a commit"
		less = ", less `packer build templates/bare.pkr.hcl` of the same turn"
	)
	return findings{figures: []figure{
		{name: "changed_added_vs_glue", unit: "s", ours: minus(values[0], values[2]), theirs: minus(values[1], values[2]),
			us: us + less, them: them + less, goal: goal{text: "at most a third", most: 1.0 / 3}},
		{name: "changed_whole_vs_glue", unit: "s", ours: values[0], theirs: values[1], us: us, them: them},
	}, tables: []table{timelines("Something changed: what was asked besides the bake", sent[0], sent[1])}}, nil
}

// bake is the same bake with nothing before or after it.
func (l *lab) bake(ctx context.Context, n int) (float64, error) {
	return l.template(ctx, "bare", append(copyTo(n), "-var", "source_ami="+l.ubuntu)...)
}
