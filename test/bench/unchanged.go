// SPDX-License-Identifier: MPL-2.0

package main

import (
	"context"
	"fmt"
	"strings"
)

// unchanged measures the commonest run of CI: nothing changed, so nothing is built.
func unchanged(ctx context.Context, l *lab) (findings, error) {
	if err := l.buildChains(ctx); err != nil {
		return findings{}, err
	}
	var ours, theirs trace
	values, err := l.inTurn(20,
		func() (float64, error) {
			l.proxy.take()
			took, err := l.build(ctx, l.repoFolder("snowflake"), copyTo(wanted)...)
			ours = l.proxy.take()
			return took, err
		},
		func() (float64, error) {
			took, err := l.gluedSnowflake(ctx, wanted)
			theirs = l.proxy.take()
			return took, err
		},
		func() (float64, error) { return l.template(ctx, "floor") },
		func() (float64, error) { return l.gluedSnowflake(ctx, wanted, "EVERYWHERE=1") },
		func() (float64, error) { return l.template(ctx, "floor-plugins") })
	if err != nil {
		return findings{}, err
	}
	if text := ours.String() + theirs.String(); strings.Contains(text, "RunInstances") {
		return findings{}, fmt.Errorf("something was built:\n%s", text)
	}
	const us = "`packer build snowflake`, 3 regions"
	return findings{figures: []figure{
		{name: "unchanged_vs_glue", unit: "s", ours: values[0], theirs: values[1], us: us,
			them: "`glue/build.sh build snowflake base`, which looks in one region",
			goal: goal{text: "at most a quarter", most: 0.25}},
		{name: "unchanged_vs_glue_all_regions", unit: "s", ours: values[0], theirs: values[3], us: us,
			them: "`EVERYWHERE=1 glue/build.sh build snowflake base`, which looks in 3 regions as the plugin does"},
		{name: "unchanged_vs_floor", unit: "s", ours: values[0], theirs: values[2], us: us,
			them: "`packer build templates/floor.pkr.hcl`: a `null` source, no plugin",
			goal: goal{text: "at most 1.2 times", most: 1.2}},
		{name: "unchanged_vs_floor_with_plugins", unit: "s", ours: values[0], theirs: values[4], us: us,
			them: "`packer build templates/floor-plugins.pkr.hcl`: a `null` source, and the same `required_plugins`"},
	}, tables: []table{timelines("Nothing changed: what was asked", ours, theirs)}}, nil
}

// timelines shows what both sides sent in one run.
func timelines(title string, ours, theirs trace) table {
	t := table{title: title, head: []string{"", "requests", "one after another", "emulator's median answer, ms"},
		note: "Ours:\n\n```text\n" + ours.String() + "```\n\nTheirs:\n\n```text\n" + theirs.String() + "```"}
	for i, name := range []string{"ours", "theirs"} {
		sent := []trace{ours, theirs}[i]
		t.rows = append(t.rows, []string{name, fmt.Sprint(len(sent)), fmt.Sprint(sent.depth()), fmt.Sprintf("%.1f", sent.own())})
	}
	return t
}
