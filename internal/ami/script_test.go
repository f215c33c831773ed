// SPDX-License-Identifier: MPL-2.0

package ami

import (
	"net/http"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"

	"github.com/packer-chain/packer-plugin-chain/internal/ami/amitest"
)

// script returns a client of an EC2 that is reached without a network, as [synctest] needs it, and
// what the client waited and said. Each wait takes the whole of its limit.
func script(t *testing.T, steps ...amitest.Step) (*Client, *record) {
	t.Helper()
	return scriptWith(t, Options{}, steps...)
}

func scriptWith(t *testing.T, opts Options, steps ...amitest.Step) (*Client, *record) {
	t.Helper()
	server := amitest.New(map[string][]amitest.Step{amitest.Anywhere: steps})
	t.Cleanup(func() {
		if err := server.Close(); err != nil {
			t.Errorf("the script of EC2: %v", err)
		}
	})
	seen := &record{}
	opts.Endpoint = "http://ec2.example.com"
	opts.Notify = func(text string) { seen.notes = append(seen.notes, text) }
	c := New(aws.Config{
		Credentials:      credentials.NewStaticCredentialsProvider("AKIDEXAMPLE", "secret", ""),
		HTTPClient:       &http.Client{Transport: server},
		RetryMaxAttempts: 1,
	}, opts)
	c.pace.Rand = func(limit time.Duration) time.Duration {
		seen.waits = append(seen.waits, limit)
		return limit
	}
	return c, seen
}

// record is what a client waited and said.
type record struct {
	waits []time.Duration
	notes []string
}

// isolate makes the AWS SDK independent of the environment of the tests.
func isolate(t *testing.T) {
	t.Helper()
	for key, value := range map[string]string{
		"AWS_CA_BUNDLE": "", "AWS_ACCESS_KEY_ID": "", "AWS_SECRET_ACCESS_KEY": "", "AWS_SESSION_TOKEN": "",
		"AWS_REGION": "", "AWS_DEFAULT_REGION": "", "AWS_CONFIG_FILE": "/dev/null",
		"AWS_SHARED_CREDENTIALS_FILE": "/dev/null", "AWS_EC2_METADATA_DISABLED": "true", "AWS_ENDPOINT_URL": "",
	} {
		t.Setenv(key, value)
	}
}
