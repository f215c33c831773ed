// SPDX-License-Identifier: MPL-2.0

package parameter

import (
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"

	"github.com/packer-chain/packer-plugin-chain/internal/parameter/parametertest"
)

const (
	idA = "ami-0a1b2c3d4e5f60718"
	idB = "ami-0b1b2c3d4e5f60718"
	idC = "ami-0c1b2c3d4e5f60718"

	region = "eu-west-1"
	name   = "/images/base/production"
)

// image returns a parameter that names an AMI.
func image(ami string, version int64) parametertest.Parameter {
	return parametertest.Parameter{Value: ami, Type: "String", DataType: parametertest.Image, Version: version}
}

// connect returns a client of the server. Each wait takes the whole of its limit.
func connect(server *parametertest.Server, opts Options) (*Client, *notes) {
	said := &notes{}
	opts.Notify = said.add
	c := New(config("http://ssm.example.com", &http.Client{Transport: server}), opts)
	c.pace.Rand = func(limit time.Duration) time.Duration { return limit }
	return c, said
}

func config(endpoint string, client aws.HTTPClient) aws.Config {
	return aws.Config{
		BaseEndpoint: &endpoint, HTTPClient: client,
		Credentials: credentials.NewStaticCredentialsProvider("AKIDEXAMPLE", "secret", ""),
	}
}

// notes are what a client said.
type notes struct {
	mu    sync.Mutex
	lines []string
}

func (n *notes) add(line string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.lines = append(n.lines, line)
}

// TestClient_regions writes two regions over the network, with one client.
func TestClient_regions(t *testing.T) {
	server := parametertest.Start(t)
	transport := &http.Transport{}
	defer transport.CloseIdleConnections()
	c := New(config(server.URL, &http.Client{Transport: transport}), Options{})
	for _, region := range []string{"eu-west-1", "us-east-1", "eu-west-1"} {
		if _, err := c.Put(t.Context(), region, name, idA); err != nil {
			t.Fatal(err)
		}
	}
	for _, region := range []string{"eu-west-1", "us-east-1"} {
		if got := server.Shown(region, name); got != image(idA, 1) {
			t.Errorf("%s shows %+v", region, got)
		}
	}
}
