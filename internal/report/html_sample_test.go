// SPDX-License-Identifier: MPL-2.0

package report_test

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/packer-chain/packer-plugin-chain/internal/manifest"
	"github.com/packer-chain/packer-plugin-chain/internal/report"
	"github.com/packer-chain/packer-plugin-chain/internal/text"
)

var sampleTime = time.Date(2026, 3, 14, 9, 26, 0, 0, time.UTC)

var sampleNames = []string{"base", "hardened", "docker", "java", "nginx", "postgres", "gpu", "runner"}

// sample returns a registry as it might be: with every status, and something broken.
func sample(images, channels int) report.Report {
	r := report.Report{
		Schema: report.Schema, Title: "Images of Acme", Registry: "s3://acme-images/chain?region=eu-west-1",
		At: sampleTime, Images: []report.Image{}, Plan: []report.Step{},
		Problems: []string{"s3://acme-images/chain/Odd: not a name of an image"},
	}
	statuses := []report.Status{report.Current, report.Outdated, report.Current, report.Incomplete,
		report.Current, report.Unknown, report.Revoked, report.Current}
	reasons := map[report.Status]string{
		report.Current:    "unchanged",
		report.Outdated:   "parent base: ami-0123456789abcdef0 -> ami-0a1b2c3d4e5f60718",
		report.Incomplete: "amazon-ebs.arm64: not built yet",
		report.Unknown:    "read s3://acme-images/chain/postgres-0/builds/02c3d20ae8185f4d26fd1a14eb8093923cab1e21db1a159dc72bd05b97a0824b.json: channel latest points at it, but it does not exist",
		report.Revoked:    "its ancestor base is revoked: CVE-2026-1234 in openssl",
	}
	for i := range images {
		image := report.Image{
			Name:   fmt.Sprintf("%s-%d", sampleNames[i%len(sampleNames)], i/len(sampleNames)),
			Status: statuses[i%len(statuses)], Origin: "github.com/acme/images//" + sampleNames[i%8],
			Parents: []string{}, Children: []string{}, Problems: []string{},
		}
		if i%29 == 10 {
			image.Name += "-with-a-name-that-somebody-made-far-too-long-for-any-card-arm64"
		}
		image.Reason = reasons[image.Status]
		if above := (i - 1) / 3; i > 0 && i%17 != 16 {
			parent := &r.Images[above]
			image.Parents = append(image.Parents, parent.Name)
			image.Level = parent.Level + 1
			parent.Children = append(parent.Children, image.Name)
		}
		if image.Status == report.Unknown {
			image.Problems = append(image.Problems,
				"s3://acme-images/chain/"+image.Name+"/channels/prod.json: unexpected end of JSON")
		}
		for c := range channels {
			image.Channels = append(image.Channels, sampleChannel(image, i, c))
		}
		if i%8 == 2 && channels > 1 {
			image.Channels[1].Status, image.Channels[1].Reason = report.Revoked, "revoked: fails its health check"
		}
		if i%3 != 0 {
			r.NotCompared = append(r.NotCompared, image.Name)
		}
		r.Images = append(r.Images, image)
		if s := image.Status; s == report.Outdated || s == report.Incomplete || s == report.Revoked {
			r.Plan = append(r.Plan, report.Step{
				Image: image.Name, Level: min(image.Level, 2), Why: image.Reason, Follows: []string{},
			})
		}
	}
	slices.SortStableFunc(r.Plan, func(a, b report.Step) int { return a.Level - b.Level })
	return r
}

func sampleChannel(image report.Image, i, c int) report.Channel {
	name := []string{"latest", "prod", "staging", "prod-eu", "prod-us", "canary"}[c%6]
	if c >= 6 {
		name += fmt.Sprint("-", c)
	}
	fingerprint := text.SHA256(fmt.Sprint(image.Name, c))
	ci := &manifest.CI{Provider: "github-actions", BuildID: fmt.Sprint(18200012345 + i),
		BuildURL: fmt.Sprintf("https://github.com/acme/images/actions/runs/%d", 18200012345+i)}
	channel := report.Channel{
		Name: name, Status: image.Status, Reason: image.Reason, Fingerprint: fingerprint,
		Commit: fingerprint[:40], CommitURL: "https://github.com/acme/images/commit/" + fingerprint[:40],
		BuiltAt: sampleTime.Add(-time.Duration(i*7+c*31+1) * time.Hour), Build: ci,
		ManifestURI: "s3://acme-images/chain/" + image.Name + "/builds/" + fingerprint + ".json",
		AMIs:        []report.AMI{}, Parents: []report.Parent{},
	}
	for n, region := range []string{"eu-west-1", "us-east-1", "ap-southeast-2"} {
		channel.AMIs = append(channel.AMIs, report.AMI{
			Region: region, ID: "ami-0" + fingerprint[n*16:][:16], Source: "amazon-ebs.x86",
			Architecture: []string{"x86_64", "arm64"}[i%2], State: "available", SizeGiB: 8,
		})
	}
	if image.Status == report.Incomplete {
		channel.AMIs[1].State = "is gone"
	}
	for _, parent := range image.Parents {
		channel.Parents = append(channel.Parents, report.Parent{
			Image: parent, Fingerprint: text.SHA256(parent), Channel: "latest",
			AMI: "ami-0123456789abcdef0", Current: image.Status != report.Outdated,
			Newer: image.Status == report.Outdated,
		})
	}
	for m := range 14 {
		channel.History = append(channel.History, report.Move{
			Kind: []string{"forward", "forward", "rollback"}[m%3], Fingerprint: text.SHA256(fmt.Sprint(fingerprint, m)),
			At: channel.BuiltAt.Add(-time.Duration(m*50) * time.Hour).Add(20 * time.Minute), By: "alice", CI: ci,
			Reason: strings.Repeat("too many errors ", (m%3)/2),
		})
	}
	return channel
}
