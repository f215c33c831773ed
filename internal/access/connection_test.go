// SPDX-License-Identifier: MPL-2.0

package access

import (
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/packer-chain/packer-plugin-chain/internal/registry"
)

func TestConnection_Registry(t *testing.T) {
	isolate(t)
	dir := t.TempDir()
	keys := Config{AccessKey: "test", SecretKey: "test", Region: "eu-west-1"}
	inFolder := filepath.Join(dir, "app", "channels", "latest.json")
	const bucket = "s3://acme-images/chain"
	latest := registry.Name{Kind: registry.Channel, Name: "latest"}
	for name, tt := range map[string]struct {
		in        string
		options   Config
		want, err string
	}{
		"folder":      {in: dir, want: inFolder},
		"file URL":    {in: "file:///" + strings.TrimPrefix(filepath.ToSlash(dir), "/"), want: inFolder},
		"bucket":      {in: bucket + "/", options: keys, want: bucket + "/app/channels/latest.json"},
		"no location": {err: "registry is required"},
		"no region": {in: bucket, options: Config{AccessKey: "test", SecretKey: "test"},
			err: "open registry " + bucket + ": region is required"},
		"no credentials": {in: bucket, options: Config{Region: "eu-west-1"},
			err: "open registry " + bucket + ": get AWS credentials"},
		"unknown region": {in: bucket, options: Config{Region: "<unknown>"},
			err: "open registry " + bucket + `: region is "<unknown>"`},
	} {
		t.Run(name, func(t *testing.T) {
			reg, err := Open(t.Context(), &tt.options, tt.in, nil).Registry()
			switch {
			case tt.err == "" && err != nil:
				t.Fatal(err)
			case tt.err != "" && (err == nil || !strings.HasPrefix(err.Error(), tt.err)):
				t.Errorf("got %v, want %s", err, tt.err)
			case tt.err == "" && reg.PointerURI("app", latest) != tt.want:
				t.Errorf("got %s, want %s", reg.PointerURI("app", latest), tt.want)
			}
		})
	}
}

func TestConnection_EC2(t *testing.T) {
	isolate(t)
	keys := Config{AccessKey: "test", SecretKey: "test", Region: "eu-west-1"}
	ec2, err := Open(t.Context(), &keys, "", nil).EC2()
	if err != nil || ec2.Client == nil || ec2.Region != "eu-west-1" {
		t.Errorf("got %+v, %v", ec2, err)
	}
	_, err = Open(t.Context(), &Config{}, "", nil).EC2()
	if err == nil || !strings.HasPrefix(err.Error(), "region is required") {
		t.Errorf("got %v", err)
	}
}

// TestConnection_once opens from many goroutines, in either order, with a role that both need.
func TestConnection_once(t *testing.T) {
	s := startSTS(t)
	for name, bucket := range map[string]*RegistryAccess{
		"no block": nil, "endpoint": {Endpoint: "https://s3.example.com"}, "region": {Region: "us-west-2"},
		"same role": {Region: "us-west-2", KMSKeyID: "k"},
	} {
		t.Run(name, func(t *testing.T) {
			s.requests = nil
			conn := Open(t.Context(), &Config{AccessKey: "KEY", SecretKey: "0123456789",
				Region: "eu-west-1", AssumeRole: role("a"), RegistryAccess: bucket}, "s3://acme-images", nil)
			var all sync.WaitGroup
			for range 4 {
				all.Go(func() { _, err := conn.Registry(); failOn(t, err) })
				all.Go(func() { _, err := conn.EC2(); failOn(t, err) })
			}
			all.Wait()
			if len(s.requests) != 1 {
				t.Errorf("the role was assumed %d times, want once", len(s.requests))
			}
		})
	}
}

func failOn(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Error(err)
	}
}

func TestConnection_notify(t *testing.T) {
	var got string
	conn := Open(t.Context(), &Config{}, t.TempDir(), func(msg string) { got = msg })
	reg, err := conn.Registry()
	if err != nil {
		t.Fatal(err)
	}
	if reg.Notify("waiting"); got != "waiting" {
		t.Errorf("got %q", got)
	}
}
