// SPDX-License-Identifier: MPL-2.0

package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/credentials"

	chain "github.com/packer-chain/packer-plugin-chain/internal/registry"
	"github.com/packer-chain/packer-plugin-chain/internal/store/s3store"
	"github.com/packer-chain/packer-plugin-chain/internal/store/storetest/s3server"
	"github.com/packer-chain/packer-plugin-chain/test/lab/emulator"
	"github.com/packer-chain/packer-plugin-chain/test/lab/packercli"
	"github.com/packer-chain/packer-plugin-chain/test/lab/program"
	"github.com/packer-chain/packer-plugin-chain/test/lab/workspace"
)

const (
	bucket   = "acme-images"
	registry = "s3://" + bucket + "/chain"
	home     = "eu-west-1"
	// wanted is in how many regions images are, unless a command says otherwise.
	wanted = 3
)

// regions are those of the image that is in most of them; home is the first.
var regions = []string{
	home, "eu-central-1", "us-east-1", "us-east-2", "us-west-2", "eu-west-2", "eu-west-3",
	"ap-south-1", "ap-northeast-1", "ap-southeast-1",
}

// lab is what all measurements work with: AWS behind a proxy, Packer with both plugins, and a git
// repository with the chain of example/ and the same chain in old/, which the glue builds.
type lab struct {
	options
	results results
	dir     string
	// env is the whole environment of all commands.
	env     []string
	tools   map[string]string
	aws     *emulator.AWS
	gateway *s3server.Gateway
	proxy   *proxy
	repo    *workspace.Repo
	// ubuntu is the AMI of another account that the base images are built on.
	ubuntu string
	done   map[string]bool
}

func newLab(ctx context.Context, o options) (_ *lab, err error) {
	l := &lab{options: o, done: map[string]bool{}, tools: map[string]string{}}
	if l.root, err = filepath.Abs(o.root); err != nil {
		return nil, err
	}
	if l.dir, err = os.MkdirTemp("", "chain-bench-"); err != nil {
		return nil, err
	}
	if err = l.setUp(ctx); err == nil {
		err = l.layOut(ctx)
	}
	if err != nil {
		return nil, errors.Join(err, l.close())
	}
	return l, nil
}

func (l *lab) setUp(ctx context.Context) (err error) {
	for _, name := range []string{"packer", "packer-plugin-amazon", "versitygw"} {
		if l.tools[name], err = program.Path(name); err != nil {
			return err
		}
	}
	if _, err := packercli.Setup(ctx, l.root, l.dir); err != nil {
		return err
	}
	if l.aws, err = emulator.Start(io.Discard); err != nil {
		return err
	}
	for name, value := range map[string]string{"VGW_VIRTUAL_DOMAIN": s3Host, "VGW_REGION": home} {
		if err := os.Setenv(name, value); err != nil {
			return err
		}
	}
	if l.gateway, err = s3server.Versitygw(ctx, l.path("s3"), bucket); err != nil {
		return err
	}
	if l.proxy, err = startProxy(l.gateway.URL, l.aws.Endpoint); err != nil {
		return err
	}
	if l.ubuntu, err = l.aws.SourceAMI(ctx, home); err != nil {
		return err
	}
	l.env = append(packercli.ExampleVariables(registry), l.environment()...)
	return nil
}

// environment returns the settings of this machine and of AWS, and the variables of the templates.
func (l *lab) environment() []string {
	path := filepath.Dir(l.tools["packer"]) + string(filepath.ListSeparator) + os.Getenv("PATH")
	// A shim of pyenv would cost the glue another process for each call of aws.
	if out, err := exec.Command("pyenv", "which", "aws").Output(); err == nil {
		path = filepath.Dir(strings.TrimSpace(string(out))) + string(filepath.ListSeparator) + path
	}
	return []string{
		"PATH=" + path, "TMPDIR=" + os.TempDir(), "HOME=" + l.path("home"),
		"HTTP_PROXY=" + l.proxy.URL, "http_proxy=" + l.proxy.URL,
		"AWS_ENDPOINT_URL=http://" + ec2Host, "AWS_ENDPOINT_URL_S3=http://" + s3Host,
		"AWS_REGION=" + home, "AWS_DEFAULT_REGION=" + home, "AWS_EC2_METADATA_DISABLED=true",
		"AWS_ACCESS_KEY_ID=" + s3server.AccessKey, "AWS_SECRET_ACCESS_KEY=" + s3server.SecretKey,
		"PACKER_CONFIG_DIR=" + l.path("home"), "PACKER_PLUGIN_PATH=" + l.path("home", "plugins"),
		"PACKER_CACHE_DIR=" + l.path("home", "cache"), "PACKER_NO_COLOR=1", "CHECKPOINT_DISABLE=1",
		"GIT_CONFIG_NOSYSTEM=1", "GIT_CONFIG_GLOBAL=" + os.DevNull,
		"BUCKET=" + bucket, "REGIONS=" + strings.Join(regions[:wanted], " "), "SOURCE_AMI=" + l.ubuntu,
		// The example finds the same AMI by its name.
		"PKR_VAR_ubuntu=ubuntu/images/hvm-ssd/ubuntu-trusty-14.04-amd64-server-*",
		"PKR_VAR_source_ami=" + l.ubuntu, "PKR_VAR_copy_to=" + hclList(regions[1:wanted]),
		"PKR_VAR_image=baseline-ubuntu", "PKR_VAR_path=" + l.path("images", "base"),
	}
}

// close stops what runs, and deletes all files.
func (l *lab) close() error {
	var errs []error
	if l.proxy != nil {
		l.proxy.Close()
	}
	if l.gateway != nil {
		l.gateway.Stop()
	}
	if l.aws != nil {
		errs = append(errs, l.aws.Stop())
	}
	return errors.Join(append(errs, os.RemoveAll(l.dir))...)
}

func (l *lab) path(parts ...string) string {
	return filepath.Join(append([]string{l.dir}, parts...)...)
}

// pick returns the number for a full run, or the one for a quick run.
func (l *lab) pick(full, quick int) int {
	if l.quick {
		return quick
	}
	return full
}

func (l *lab) logf(format string, args ...any) { fmt.Fprintf(l.log, format+"\n", args...) }

// exec runs a program to its end. What it prints is part of the error if it fails.
func (l *lab) exec(ctx context.Context, dir string, argv ...string) (output string, err error) {
	name := argv[0]
	if path, ok := l.tools[name]; ok {
		name = path
	}
	cmd := exec.CommandContext(ctx, name, argv[1:]...)
	cmd.Dir, cmd.Env = dir, l.env
	// Packer ends its plugins when it is interrupted, but not when it is killed.
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
	cmd.WaitDelay = 20 * time.Second
	out, err := cmd.CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("%s: %w\n%s", strings.Join(argv, " "), err, out)
	}
	return string(bytes.TrimSpace(out)), nil
}

// openRegistry opens the registry as its own process would.
func (l *lab) openRegistry(prefix string) (*chain.Registry, error) {
	proxyURL, err := url.Parse(l.proxy.URL)
	if err != nil {
		return nil, err
	}
	client := awshttp.NewBuildableClient().WithTransportOptions(func(t *http.Transport) {
		t.Proxy = http.ProxyURL(proxyURL)
	})
	return chain.New(s3store.New(aws.Config{
		Region: home, BaseEndpoint: aws.String("http://" + s3Host), HTTPClient: client,
		Credentials: credentials.NewStaticCredentialsProvider(s3server.AccessKey, s3server.SecretKey, ""),
	}, s3store.Options{Bucket: bucket, Prefix: prefix})), nil
}
