// SPDX-License-Identifier: MPL-2.0

package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
)

// besideHistory measures what keeps the same history without a registry: the file of Packer's manifest
// post-processor, which has one entry for each build ever, and tags, which are looked for among all AMIs.
func (l *lab) besideHistory(ctx context.Context, sizes []int, pasts []*past) ([]figure, error) {
	many := pasts[len(pasts)-1]
	file, err := l.longManifest(sizes[2], many.ami)
	if err != nil {
		return nil, err
	}
	amis := l.pick(2000, 20)
	for i := range amis {
		if _, err := l.register(ctx, fmt.Sprintf("old%d", i), "chain:git-sha", fmt.Sprintf("%040d", i)); err != nil {
			return nil, err
		}
	}
	values, err := l.inTurn(10,
		func() (float64, error) {
			return l.template(ctx, "resolve", "-var", "way=registry", "-var", "image="+many.image)
		},
		func() (float64, error) { return l.timed(ctx, l.dir, "jq", "-r", ".builds[-1].artifact_id", file) },
		func() (float64, error) { return l.template(ctx, "amazon", "-var", fmt.Sprintf("sha=%040d", amis-1)) },
		func() (float64, error) { return l.template(ctx, "manifest", "-var", "file="+file) },
		func() (float64, error) { return l.template(ctx, "floor") })
	if err != nil {
		return nil, err
	}
	us := fmt.Sprintf("`packer build -var way=registry templates/resolve.pkr.hcl`, %d builds", sizes[2])
	inSeconds := make([]float64, len(many.publish))
	for i, ms := range many.publish {
		inSeconds[i] = ms / 1000
	}
	return []figure{
		{name: "history_resolve_vs_manifest_file", unit: "s", ours: values[0], theirs: values[1], us: us,
			them: fmt.Sprintf("`jq -r '.builds[-1].artifact_id'` of a file with %d builds", sizes[2])},
		{name: "history_resolve_vs_tag", unit: "s", ours: values[0], theirs: values[2], us: us,
			them: fmt.Sprintf("`data \"amazon-ami\"` by tag among %d AMIs", amis)},
		{name: "history_publish_vs_manifest_file", unit: "s", ours: inSeconds, theirs: minus(values[3], values[4]),
			us:   fmt.Sprintf("publish by the plugin's packages, %d builds in the registry", sizes[2]),
			them: fmt.Sprintf("Packer's `manifest` post-processor with a file of %d builds, less the floor", sizes[2])},
	}, nil
}

// longManifest writes a file as Packer's manifest post-processor does.
func (l *lab) longManifest(size int, ami string) (string, error) {
	type entry struct {
		Name          string            `json:"name"`
		BuilderType   string            `json:"builder_type"`
		BuildTime     int64             `json:"build_time"`
		Files         []string          `json:"files"`
		ArtifactID    string            `json:"artifact_id"`
		PackerRunUUID string            `json:"packer_run_uuid"`
		CustomData    map[string]string `json:"custom_data"`
	}
	document := struct {
		Builds      []entry `json:"builds"`
		LastRunUUID string  `json:"last_run_uuid"`
	}{LastRunUUID: "1c5f4a52-7a9d-4c8e-9d0a-3f2b1e0d9c8b"}
	for i := range size {
		document.Builds = append(document.Builds, entry{Name: "snowflake", BuilderType: "amazon-ebs",
			BuildTime: 1767323045 + int64(i), ArtifactID: home + ":" + ami, PackerRunUUID: document.LastRunUUID})
	}
	body, err := json.MarshalIndent(document, "", "  ")
	if err != nil {
		return "", err
	}
	file := l.folder("packer-manifest.json")
	return file, os.WriteFile(file, body, 0o644)
}
