// SPDX-License-Identifier: MPL-2.0

// Package emulator runs an AWS account on this machine: EC2, S3 and STS by moto, on the loopback
// address, gone when it is stopped. It answers one request at a time and at once, so it shows what
// a program does, not what happens when AWS is slow, wrong or used by others.
package emulator

import (
	"bufio"
	"context"
	_ "embed"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"time"

	"github.com/packer-chain/packer-plugin-chain/acceptance/toolbox"
)

//go:embed moto_single.py
var launcher string

// Account is the id of the account that the credentials of [AWS.Env] belong to.
const Account = "123456789012"

// AWS is a running emulator.
type AWS struct {
	// Endpoint is the URL of every service, such as http://127.0.0.1:40001.
	Endpoint string

	cmd   *exec.Cmd
	stdin io.Closer
}

// Start starts an emulator and waits until it answers. What it prints, such as the requests that it
// gets, goes to log. It needs moto, see [toolbox.MotoPython].
func Start(ctx context.Context, log io.Writer) (*AWS, error) {
	python, err := toolbox.MotoPython(ctx)
	if err != nil {
		return nil, err
	}
	cmd := exec.Command(python, "-c", launcher)
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + os.TempDir(), "TMPDIR=" + os.TempDir(),
		"AWS_ACCESS_KEY_ID=test", "AWS_SECRET_ACCESS_KEY=test", "PYTHONDONTWRITEBYTECODE=1"}
	cmd.Stderr = log
	cmd.WaitDelay = 5 * time.Second
	stdin, err := cmd.StdinPipe()
	if err != nil {
		return nil, fmt.Errorf("start the AWS emulator: %w", err)
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		return nil, fmt.Errorf("start the AWS emulator: %w", err)
	}
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("start the AWS emulator: %w", err)
	}
	a := &AWS{cmd: cmd, stdin: stdin}
	if err := a.await(ctx, stdout); err != nil {
		return nil, errors.Join(fmt.Errorf("start the AWS emulator: %w", err), a.Stop())
	}
	return a, nil
}

// await reads the port and makes one request. The launcher listens before it prints the port, so
// there is no time at which a connection is refused.
func (a *AWS) await(ctx context.Context, stdout io.Reader) error {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	stop := context.AfterFunc(ctx, func() { _ = a.cmd.Process.Kill() })
	defer stop()

	line, err := bufio.NewReader(stdout).ReadString('\n')
	if err != nil {
		return fmt.Errorf("read its port: %w", errors.Join(ctx.Err(), err))
	}
	port, err := strconv.ParseUint(strings.TrimSpace(line), 10, 16)
	if err != nil {
		return fmt.Errorf("read its port: %w", err)
	}
	a.Endpoint = fmt.Sprintf("http://127.0.0.1:%d", port)
	return a.post(ctx, "/moto-api/reset", "")
}

// Reset empties the account in every region.
func (a *AWS) Reset(ctx context.Context) error {
	return a.post(ctx, "/moto-api/reset", "")
}

func (a *AWS) post(ctx context.Context, path, body string) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, a.Endpoint+path, strings.NewReader(body))
	if err != nil {
		return err
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return fmt.Errorf("post to the AWS emulator: %w", err)
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusOK {
		return fmt.Errorf("post to the AWS emulator: %s%s: %s", a.Endpoint, path, res.Status)
	}
	return nil
}

// Stop ends the emulator and waits until it is gone.
func (a *AWS) Stop() error {
	_ = a.stdin.Close()
	timer := time.AfterFunc(5*time.Second, func() { _ = a.cmd.Process.Kill() })
	defer timer.Stop()
	var exit *exec.ExitError
	if err := a.cmd.Wait(); err != nil && !errors.As(err, &exit) {
		return fmt.Errorf("stop the AWS emulator: %w", err)
	}
	return nil
}

// Env makes a program that reads the environment as the AWS SDKs do use this account, whatever
// else is configured on the machine.
func (a *AWS) Env(region string) []string {
	return []string{
		"AWS_ENDPOINT_URL=" + a.Endpoint,
		"AWS_REGION=" + region,
		"AWS_ACCESS_KEY_ID=test",
		"AWS_SECRET_ACCESS_KEY=test",
		"AWS_SESSION_TOKEN=",
		"AWS_PROFILE=",
		"AWS_CONFIG_FILE=" + os.DevNull,
		"AWS_SHARED_CREDENTIALS_FILE=" + os.DevNull,
		"AWS_EC2_METADATA_DISABLED=true",
		"AWS_CA_BUNDLE=",
		"NO_PROXY=127.0.0.1",
	}
}
