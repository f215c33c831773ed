// SPDX-License-Identifier: MPL-2.0

package ami

import (
	"context"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"

	"github.com/packer-chain/packer-plugin-chain/internal/ami/amitest"
)

// script starts an EC2, and a client whose waits take no time but move its clock.
func script(t *testing.T, steps ...amitest.Step) (*Client, *clock) {
	t.Helper()
	return scriptWith(t, Options{}, steps...)
}

func scriptWith(t *testing.T, opts Options, steps ...amitest.Step) (*Client, *clock) {
	t.Helper()
	isolate(t)
	server := amitest.Start(t, map[string][]amitest.Step{amitest.Anywhere: steps})
	cl := &clock{now: time.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC)}
	opts.Endpoint = server.URL
	opts.Notify = cl.note
	c := New(aws.Config{
		Credentials:      credentials.NewStaticCredentialsProvider("AKIDEXAMPLE", "secret", ""),
		RetryMaxAttempts: 1,
	}, opts)
	c.now, c.wait, c.random = cl.read, cl.wait, func() float64 { return 1 }
	return c, cl
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

// clock is the time of a test: waiting moves it.
type clock struct {
	now   time.Time
	waits []time.Duration
	notes []string
	// limit ends the waiting as a deadline of the context would.
	limit time.Duration
	spent time.Duration
}

func (c *clock) read() time.Time  { return c.now }
func (c *clock) note(text string) { c.notes = append(c.notes, text) }

func (c *clock) wait(ctx context.Context, d time.Duration) error {
	if c.limit > 0 && c.spent+d > c.limit {
		return context.DeadlineExceeded
	}
	c.spent += d
	c.now = c.now.Add(d)
	c.waits = append(c.waits, d)
	return ctx.Err()
}
