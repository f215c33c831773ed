// SPDX-License-Identifier: MPL-2.0

package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/packer-chain/packer-plugin-chain/internal/store/storetest/s3server"
	"github.com/packer-chain/packer-plugin-chain/test/lab/emulator"
	"github.com/packer-chain/packer-plugin-chain/test/lab/workspace"
)

const (
	bucket   = "acme-images"
	registry = "s3://" + bucket + "/chain"
	home     = "eu-west-1"
)

// regions are those of the measurement with the most of them; home is the first.
var regions = []string{
	home, "eu-central-1", "us-east-1", "us-east-2", "us-west-2", "eu-west-2", "eu-west-3", "ap-south-1",
	"ap-northeast-1", "ap-southeast-1",
}

// lab is what all measurements work with: AWS behind a proxy, Packer with both plugins, and a repository
// with the chain of example/ and the same chain made with glue.
type lab struct {
	options
	dir      string
	aws      *emulator.AWS
	gateway  *s3server.Gateway
	proxy    *proxy
	packer   string
	binaries plugins
	repo     *workspace.Repo
	versions [][2]string
	// chain is true when both chains were built; see [lab.buildChains].
	chain bool
	// ubuntu is the AMI of another account that the base images stand on.
	ubuntu string
}

func newLab(ctx context.Context, o options) (*lab, error) {
	l := &lab{options: o}
	if err := l.requireTools(); err != nil {
		return nil, err
	}
	var err error
	if l.root, err = filepath.Abs(o.root); err != nil {
		return nil, err
	}
	if l.dir, err = os.MkdirTemp("", "chain-bench-"); err != nil {
		return nil, err
	}
	if err := l.setUp(ctx); err != nil {
		return nil, errors.Join(err, l.close())
	}
	return l, nil
}

func (l *lab) setUp(ctx context.Context) error {
	var err error
	// A proxy of this machine may be needed to build, and has no part in what is measured.
	if err := l.installPlugins(ctx); err != nil {
		return err
	}
	if l.proxy, err = listenProxy(); err != nil {
		return err
	}
	if err := l.setEnvironment(l.cloud()); err != nil {
		return err
	}
	if l.aws, err = emulator.Start(io.Discard); err != nil {
		return err
	}
	if l.gateway, err = s3server.Versitygw(ctx, l.folder("s3"), bucket); err != nil {
		return err
	}
	if err := l.proxy.serve(l.gateway.URL, l.aws.Endpoint); err != nil {
		return err
	}
	if l.ubuntu, err = l.aws.SourceAMI(ctx, home); err != nil {
		return err
	}
	l.repo, err = workspace.New(ctx, l.folder("images"))
	return err
}

// cloud is the environment in which all programs find AWS. Our own calls of the plugin's packages are
// programs like any other.
func (l *lab) cloud() map[string]string {
	return map[string]string{
		"VGW_VIRTUAL_DOMAIN": s3Host, "VGW_REGION": home,
		"HTTP_PROXY": l.proxy.url, "http_proxy": l.proxy.url, "NO_PROXY": "", "no_proxy": "",
		"AWS_ENDPOINT_URL": "http://" + ec2Host, "AWS_ENDPOINT_URL_S3": "http://" + s3Host,
		"AWS_REGION": home, "AWS_DEFAULT_REGION": home,
		"AWS_ACCESS_KEY_ID": s3server.AccessKey, "AWS_SECRET_ACCESS_KEY": s3server.SecretKey,
		"AWS_CONFIG_FILE": os.DevNull, "AWS_SHARED_CREDENTIALS_FILE": os.DevNull, "AWS_EC2_METADATA_DISABLED": "true",
		"PACKER_CONFIG_DIR": l.folder("home"), "PACKER_PLUGIN_PATH": l.folder("home", "plugins"),
		"PACKER_CACHE_DIR": l.folder("home", "cache"), "PACKER_NO_COLOR": "1", "CHECKPOINT_DISABLE": "1",
		"GIT_CONFIG_NOSYSTEM": "1", "GIT_CONFIG_GLOBAL": os.DevNull, "HOME": l.folder("home"),
		"PATH":             filepath.Dir(l.packer) + string(filepath.ListSeparator) + os.Getenv("PATH"),
		"PKR_VAR_registry": registry, "PKR_VAR_communicator": "none",
		"PKR_VAR_ubuntu": "ubuntu/images/hvm-ssd/ubuntu-xenial-16.04-amd64-server-*",
	}
}

// setEnvironment takes what the machine says of AWS and Packer out of the environment, and sets ours.
func (l *lab) setEnvironment(ours map[string]string) error {
	for _, pair := range os.Environ() {
		name, _, _ := strings.Cut(pair, "=")
		for _, prefix := range []string{"AWS_", "PACKER_", "PKR_VAR_", "CI", "BUILDKITE", "GITHUB_", "GITLAB_"} {
			if strings.HasPrefix(name, prefix) {
				if err := os.Unsetenv(name); err != nil {
					return err
				}
			}
		}
	}
	for name, value := range ours {
		if err := os.Setenv(name, value); err != nil {
			return err
		}
	}
	return nil
}

func (l *lab) close() error {
	var errs []error
	if l.proxy != nil {
		errs = append(errs, l.proxy.stop())
	}
	if l.gateway != nil {
		l.gateway.Stop()
	}
	if l.aws != nil {
		errs = append(errs, l.aws.Stop())
	}
	return errors.Join(append(errs, os.RemoveAll(l.dir))...)
}

func (l *lab) folder(parts ...string) string {
	return filepath.Join(append([]string{l.dir}, parts...)...)
}

// pick is the figure for a full run, or the one for a quick one.
func (l *lab) pick(full, quick int) int {
	if l.quick {
		return quick
	}
	return full
}

func (l *lab) logf(format string, args ...any) { fmt.Fprintf(l.log, format+"\n", args...) }

// delayed runs something while every request takes longer.
func (l *lab) delayed(delay time.Duration, do func() error) error {
	l.proxy.delay.Store(int64(delay))
	defer l.proxy.delay.Store(0)
	return do()
}
