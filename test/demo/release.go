// SPDX-License-Identifier: MPL-2.0

package main

import (
	"context"
	"encoding/json"
	"fmt"
)

const (
	production = "/images/snowflake/production"
	channel    = "chain/snowflake/channels/production.json"
)

// release promotes two images, rolls back from the second, and revokes it. It prints what a reader
// of the parameter sees each time.
func (d *demo) release(ctx context.Context) error {
	heading("Promotion: the channel production, and a parameter for launch templates")
	if err := d.build(ctx, "promote"); err != nil {
		return err
	}
	first, err := d.reads(ctx)
	if err != nil {
		return err
	}

	heading("A commit changes snowflake: it is built, and promoted")
	task := "echo 'snowflake' > /etc/hostname\n"
	if err := d.repo.Write("snowflake/tasks/hostname.sh", task); err != nil {
		return err
	}
	if _, err := d.repo.Commit(ctx, "snowflake: set the host name"); err != nil {
		return err
	}
	for _, folder := range []string{"snowflake", "promote"} {
		if err := d.build(ctx, folder); err != nil {
			return err
		}
	}
	second, err := d.reads(ctx)
	if err != nil {
		return err
	}

	heading("It fails its health check: production goes back")
	bad, err := d.fingerprint(ctx)
	if err != nil {
		return err
	}
	if err := d.build(ctx, "rollback", "-var", "reason=fails its health check"); err != nil {
		return err
	}
	third, err := d.reads(ctx)
	if err != nil {
		return err
	}
	if first == second || third != first {
		return fmt.Errorf("production was %s, %s, and then %s", first, second, third)
	}

	heading("And it is revoked: nothing is built on it or promoted any more")
	// The channel latest of its template is still on it, so that has to be said.
	err = d.build(ctx, "revoke", "-var", "fingerprint="+bad, "-var", "reason=fails its health check",
		"-var", "force=true")
	if err != nil {
		return err
	}
	_, err = d.reads(ctx)
	return err
}

// reads prints and returns the AMI that the parameter of production names.
func (d *demo) reads(ctx context.Context) (ami string, err error) {
	ami, err = d.aws.Parameter(ctx, region, production)
	fmt.Printf("A reader of %s in %s sees %s\n", production, region, ami)
	return ami, err
}

// fingerprint returns that of the image in production.
func (d *demo) fingerprint(ctx context.Context) (string, error) {
	objects, err := d.aws.Objects(ctx, bucket)
	if err != nil {
		return "", err
	}
	var pointer struct{ Fingerprint string }
	if err := json.Unmarshal(objects[channel], &pointer); err != nil {
		return "", fmt.Errorf("read s3://%s/%s: %w", bucket, channel, err)
	}
	return pointer.Fingerprint, nil
}
