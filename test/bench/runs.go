// SPDX-License-Identifier: MPL-2.0

package main

import (
	"context"
	"errors"
	"fmt"
	"os"
)

// measureUnchanged measures the commonest run of CI: nothing has changed, so nothing is built.
func (l *lab) measureUnchanged(ctx context.Context) error {
	if err := errors.Join(l.bakeChain(ctx), l.bakeGlued(ctx)); err != nil {
		return err
	}
	got, err := l.turnsWithBakes(ctx, 0, 20, l.build("snowflake"), l.glue("snowflake", "base"),
		l.template("floor"), l.template("floor-plugins"), l.template("manifest"))
	if err != nil {
		return err
	}
	ours, glue, floor, plugins, manifest := got[0], got[1], got[2], got[3], got[4]
	l.compare("unchanged_vs_glue", "ratio at most 0.25", ours, glue)
	l.compare("unchanged_vs_floor", "ratio at most 1.2", ours, floor)
	l.compare("unchanged_vs_plugins", "", ours, plugins)
	l.compare("manifest_vs_floor", "", manifest, floor)
	return nil
}

// measureLookup measures one look-up of a parent, in a template that does nothing else.
func (l *lab) measureLookup(ctx context.Context) error {
	if err := l.once(ctx, l.build("base")); err != nil {
		return err
	}
	sha, err := l.repo.Git(ctx, "rev-parse", "HEAD:base")
	if err != nil {
		return err
	}
	l.env = append(l.env, "PKR_VAR_sha="+sha)
	got, err := l.turns(ctx, 20, l.template("resolve", "way=registry"),
		l.template("resolve", "way=tag"), l.template("amazon"))
	if err != nil {
		return err
	}
	l.compare("lookup_registry_vs_amazon_ami", "ratio at most 1", got[0], got[2])
	l.compare("lookup_tag_vs_amazon_ami", "ratio at most 1", got[1], got[2])
	return nil
}

// measureChanged measures how much longer a bake takes because it is part of a chain: look-ups
// before it, tags in three regions and the manifest after it.
func (l *lab) measureChanged(ctx context.Context) error {
	if err := errors.Join(l.bakeChain(ctx), l.bakeGlued(ctx)); err != nil {
		return err
	}
	ours := l.build("snowflake")
	ours.before = func(ctx context.Context) error {
		return l.change(ctx, "snowflake/tasks/docker.sh", "old/snowflake/tasks/image.sh")
	}
	got, err := l.turnsWithBakes(ctx, 3, 10, ours, l.glue("snowflake", "base"), l.template("bare"))
	if err != nil {
		return err
	}
	l.compare("changed_added_vs_glue", "ratio at most 0.33", got[0].less(got[2]), got[1].less(got[2]))
	return nil
}

// turnsWithBakes is [lab.turns], and checks how many instances are launched in each turn.
func (l *lab) turnsWithBakes(
	ctx context.Context, bakes, n int, commands ...command,
) ([]series, error) {
	before, err := l.aws.Launched(ctx, home)
	if err != nil {
		return nil, err
	}
	got, err := l.turns(ctx, n, commands...)
	if err != nil {
		return nil, err
	}
	after, err := l.aws.Launched(ctx, home)
	if want := bakes * l.pick(n+1, 1); err == nil && after-before != want {
		err = fmt.Errorf("%d instances were launched, want %d", after-before, want)
	}
	return got, err
}

// measureBinary measures the program itself: Packer reads every plugin, and asks it to describe
// itself, whenever it starts.
func (l *lab) measureBinary(ctx context.Context) error {
	var sizes []series
	var commands []command
	for _, path := range []string{l.path("packer-plugin-chain"), l.tools["packer-plugin-amazon"]} {
		info, err := os.Stat(path)
		if err != nil {
			return err
		}
		name, size := info.Name(), float64(info.Size())/1e6
		sizes = append(sizes, series{text: name, unit: "MB", values: []float64{size}})
		commands = append(commands, command{
			text: "`" + name + " describe`",
			run: func(ctx context.Context) error {
				_, err := l.exec(ctx, l.dir, path, "describe")
				return err
			},
		})
	}
	got, err := l.turns(ctx, 40, commands...)
	if err != nil {
		return err
	}
	l.compare("binary_vs_amazon", "A under 30 MB", sizes[0], sizes[1])
	l.compare("describe_vs_amazon", "A under 0.012 s", got[0], got[1])
	return nil
}
