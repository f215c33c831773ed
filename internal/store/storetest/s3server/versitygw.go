// SPDX-License-Identifier: MPL-2.0

package s3server

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

const (
	// AccessKey is the one that [Versitygw] accepts.
	AccessKey = "test"
	// SecretKey belongs to [AccessKey].
	SecretKey = "testtest"

	startTimeout = 30 * time.Second
)

// ErrNoVersitygw means that versitygw is not on PATH.
var ErrNoVersitygw = errors.New("no versitygw")

// Gateway is a running versitygw. It keeps objects as files, and its conditional writes hold
// between processes too.
type Gateway struct {
	// URL is its address.
	URL string

	binary, dir string

	cmd    *exec.Cmd
	output bytes.Buffer
	ended  chan error
}

// Versitygw starts the versitygw on PATH with one empty bucket in a folder. The error is
// [ErrNoVersitygw] if it is not installed.
func Versitygw(ctx context.Context, dir, bucket string) (*Gateway, error) {
	binary, err := exec.LookPath("versitygw")
	if err != nil {
		return nil, fmt.Errorf("%w: %w\n\nmake test installs it and puts it on PATH", ErrNoVersitygw, err)
	}
	if err := os.MkdirAll(filepath.Join(dir, bucket), 0o755); err != nil {
		return nil, err
	}
	address, err := freePort()
	if err != nil {
		return nil, err
	}
	g := &Gateway{URL: "http://" + address, binary: binary, dir: dir}
	return g, g.Start(ctx)
}

// Start starts the server again after [Gateway.Stop], at the same address and with its objects.
func (g *Gateway) Start(ctx context.Context) error {
	g.ended = make(chan error, 1)
	g.cmd = exec.Command(g.binary, "--port", strings.TrimPrefix(g.URL, "http://"),
		"--quiet", "--keep-alive", "posix", g.dir)
	g.cmd.Env = append(os.Environ(), "ROOT_ACCESS_KEY="+AccessKey, "ROOT_SECRET_KEY="+SecretKey)
	g.cmd.Stdout, g.cmd.Stderr = &g.output, &g.output
	if err := g.cmd.Start(); err != nil {
		return err
	}
	cmd, ended := g.cmd, g.ended
	go func() { ended <- cmd.Wait() }()
	if err := g.await(ctx); err != nil {
		return fmt.Errorf("start versitygw: %w: %s", err, g.Stop())
	}
	return nil
}

// Stop kills the server, and returns what it printed.
func (g *Gateway) Stop() string {
	_ = g.cmd.Process.Kill()
	err := <-g.ended
	g.ended <- err
	return g.output.String()
}

// await waits until the server responds, with any status.
func (g *Gateway) await(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	for {
		request, err := http.NewRequestWithContext(ctx, http.MethodGet, g.URL, nil)
		if err != nil {
			return err
		}
		response, err := http.DefaultClient.Do(request)
		if err == nil {
			return response.Body.Close()
		}
		select {
		case err := <-g.ended:
			g.ended <- err
			return fmt.Errorf("it ended: %w", err)
		case <-ctx.Done():
			return err
		case <-time.After(20 * time.Millisecond):
		}
	}
}

func freePort() (string, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	return listener.Addr().String(), listener.Close()
}
