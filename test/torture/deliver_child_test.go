// SPDX-License-Identifier: MPL-2.0

package torture

import (
	"context"
	"encoding/json"
	"os"

	"github.com/packer-chain/packer-plugin-chain/internal/record"
	"github.com/packer-chain/packer-plugin-chain/internal/store/storetest/s3server"
	"github.com/packer-chain/packer-plugin-chain/postprocessor/publish"
)

// promoterChild is the child that promotes an image to production, and may die meanwhile.
const promoterChild = "promoter"

// promoted is the channel, and parameter the name of its parameter.
const (
	promoted  = "production"
	parameter = "/images/" + snowflake + "/" + promoted
)

// promoter is what a child does.
type promoter struct {
	Record string
	// EC2 and SSM are their addresses, and S3 that of the bucket, if the registry is in one.
	EC2, SSM, S3 string
	// Rollback allows the channel to go to an older commit.
	Rollback bool
	// DieAfter kills the process after it has printed a line that begins so.
	DieAfter string
}

func promoteAndDie(args []string) error {
	var p promoter
	if err := json.Unmarshal([]byte(args[0]), &p); err != nil {
		return err
	}
	if err := os.Setenv("AWS_ENDPOINT_URL_SSM", p.SSM); err != nil {
		return err
	}
	rec, err := record.Decode(p.Record)
	if err != nil {
		return err
	}
	o := map[string]any{
		"packer_build_name": "image", "packer_builder_type": "chain", "packer_core_version": "1.16.0",
		"record": p.Record, "channels": []string{promoted}, "allow_rollback": p.Rollback,
		"region": home, "access_key": s3server.AccessKey, "secret_key": s3server.SecretKey,
		"custom_endpoint_ec2": p.EC2,
		"ssm_parameter":       []map[string]any{{"name": "/images/{image}/{channel}"}},
	}
	if p.S3 != "" {
		o["registry_access"] = map[string]any{
			"endpoint": p.S3, "use_path_style": true, "region": "us-east-1"}
	}
	var post publish.PostProcessor
	if err := post.Configure(o); err != nil {
		return err
	}
	ui := &mortal{life: life{DieAfter: p.DieAfter}}
	_, _, _, err = post.PostProcess(context.Background(), ui, rec.Artifact())
	return err
}
