// SPDX-License-Identifier: MPL-2.0

package ami

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/packer-chain/packer-plugin-chain/internal/ami/amitest"
	"github.com/packer-chain/packer-plugin-chain/internal/awserror/awserrortest"
)

// TestClient_advice: whatever EC2 responds, the error of a request says what to do.
func TestClient_advice(t *testing.T) {
	find := func(ctx context.Context, c *Client) error {
		_, err := c.ByID(ctx, "eu-west-1", []string{idA}, nil)
		return err
	}
	tag := func(ctx context.Context, c *Client) error {
		return c.WriteTags(ctx, "eu-west-1", []string{idA}, map[string]string{"a": "b"}, Image{ID: idA})
	}
	for name, do := range map[string]func(context.Context, *Client) error{"find": find, "tag": tag} {
		t.Run(name, func(t *testing.T) {
			for _, r := range awserrortest.Responses() {
				if r.Of != "ec2" {
					continue
				}
				c, _ := script(t, amitest.Refuse(r.Status, r.Code, r.Message))
				wantAdvice(t, do, c, r.Code, r.Want)
			}
			for status, want := range map[int]string{
				200: "a proxy or a login page", 403: "a proxy or a login page", 407: "Set HTTPS_PROXY",
			} {
				c, _ := script(t, amitest.Step{Status: status, Body: "<html>Please log in</html>"})
				wantAdvice(t, do, c, "<html>", want)
			}
		})
	}
}

func wantAdvice(
	t *testing.T, do func(context.Context, *Client) error, c *Client, name, want string,
) {
	t.Helper()
	// What may pass is repeated until the context ends.
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	c.pace.Rand = func(limit time.Duration) time.Duration { cancel(); return limit }
	err := do(ctx, c)
	if err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("%s: got %v\nwant %q in it", name, err, want)
		return
	}
	if _, advice, _ := strings.Cut(err.Error(), "\n\n"); !strings.Contains(advice, want) {
		t.Errorf("%s: %q is not in a paragraph of advice: %v", name, want, err)
	}
}
