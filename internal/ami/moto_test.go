// SPDX-License-Identifier: MPL-2.0

package ami

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/google/go-cmp/cmp"

	"github.com/packer-chain/packer-plugin-chain/internal/retry"
)

// startMoto starts the AWS emulator and returns its URL. Without it the test is skipped, but not
// where the tools have to be there.
func startMoto(t *testing.T) string {
	t.Helper()
	isolate(t)
	path, err := exec.LookPath("moto_server")
	if err != nil {
		if os.Getenv("CI") != "" || os.Getenv("CHAIN_REQUIRE_TOOLS") != "" {
			t.Fatalf("moto_server is required here: %v", err)
		}
		t.Skipf("needs moto_server: %v", err)
	}
	free, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	addr := free.Addr().String()
	free.Close()
	_, port, _ := net.SplitHostPort(addr)
	cmd := exec.Command(path, "-H", "127.0.0.1", "-p", port)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	for {
		resp, err := http.Get("http://" + addr + "/moto-api/data.json")
		if err == nil {
			resp.Body.Close()
			return "http://" + addr
		}
		if (retry.Pace{First: 50 * time.Millisecond, Most: 50 * time.Millisecond}).Wait(ctx, 1) != nil {
			t.Fatalf("moto_server does not answer: %v", err)
		}
	}
}

func TestClient_moto(t *testing.T) {
	endpoint := startMoto(t)
	cfg := aws.Config{Credentials: credentials.NewStaticCredentialsProvider("AKIDEXAMPLE", "secret", "")}
	c := New(cfg, Options{Endpoint: endpoint})
	create := func(region, name string) string {
		raw := ec2.NewFromConfig(cfg, func(o *ec2.Options) { o.Region, o.BaseEndpoint = region, &endpoint })
		run, err := raw.RunInstances(t.Context(), &ec2.RunInstancesInput{
			ImageId: aws.String("ami-0a1b2c3d"), MinCount: aws.Int32(1), MaxCount: aws.Int32(1)})
		if err != nil {
			t.Fatal(err)
		}
		out, err := raw.CreateImage(t.Context(), &ec2.CreateImageInput{
			Name: &name, InstanceId: run.Instances[0].InstanceId})
		if err != nil {
			t.Fatal(err)
		}
		return *out.ImageId
	}
	tags := map[string]string{"chain:git-sha": "4f1c9e2", "note": `a*b?c\d <&> ü`}
	ids := map[string]string{}
	regions := []string{"eu-west-1", "us-east-1"}
	for _, region := range regions {
		ids[region] = create(region, "base")
		create(region, "untagged")
	}
	err := EachRegion(t.Context(), regions, 2, func(ctx context.Context, region string) error {
		return c.Tag(ctx, region, []string{ids[region]}, tags)
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, region := range regions {
		found, err := c.ByTags(t.Context(), region, Query{Tags: tags})
		if err != nil || len(found) != 1 {
			t.Fatalf("by tags in %s: got %v, %v; want one image", region, found, err)
		}
		if diff := cmp.Diff([]string{ids[region], "base"}, []string{found[0].ID, found[0].Name}); diff != "" {
			t.Error(diff)
		}
		if diff := cmp.Diff(tags, found[0].Tags); diff != "" {
			t.Error(diff)
		}
	}
	motoByID(t, c, ids)
	wild := Query{Tags: map[string]string{"chain:git-sha": "4f*"}}
	if found, err := c.ByTags(t.Context(), "eu-west-1", wild); err != nil || len(found) != 0 {
		t.Errorf("a wildcard matches: got %v, %v", found, err)
	}
}

func motoByID(t *testing.T, c *Client, ids map[string]string) {
	t.Helper()
	const nowhere = "ami-0a1b2c3d4e5f60718"
	id := ids["eu-west-1"]
	found, err := c.ByID(t.Context(), "eu-west-1", []string{nowhere, id, ids["us-east-1"]}, nil)
	if err != nil || len(found) != 1 || found[0].ID != id || Problem(found[0]) != "" {
		t.Errorf("by id: got %v, %v; want only %s", found, err, id)
	}
	others := []string{"210987654321"}
	found, err = c.ByID(t.Context(), "eu-west-1", []string{id}, others)
	if err != nil || len(found) != 0 {
		t.Errorf("by id of another owner: got %v, %v; want nothing", found, err)
	}
	got := fmt.Sprint(c.Explain(t.Context(), "eu-west-1", id, others), "; ",
		c.Explain(t.Context(), "eu-west-1", nowhere, nil))
	if !strings.HasPrefix(got, "belongs to 123456789012, not to 210987654321; is gone or not visible: ") {
		t.Errorf("explained: %s", got)
	}
}
