// SPDX-License-Identifier: MPL-2.0

package emulator

import (
	"bufio"
	"context"
	_ "embed"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"sync"
	"time"

	"github.com/packer-chain/packer-plugin-chain/test/lab/program"
)

// images, permissions and launcher are the parts of one program.
var (
	//go:embed moto_images.py
	images string
	//go:embed moto_permissions.py
	permissions string
	//go:embed moto_servers.py
	launcher string
)

// servers is the process that forks the emulators of this process. It ends when this one does.
type servers struct {
	mu     sync.Mutex
	stdin  io.Writer
	stdout *bufio.Reader
	kill   func() error
}

// launch starts the process, when the first emulator starts.
var launch = sync.OnceValues(func() (*servers, error) {
	python, err := program.Moto(context.Background())
	if err != nil {
		return nil, err
	}
	cmd := exec.Command(python, "-c", images+"\n"+permissions+"\n"+launcher)
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + os.TempDir(), "TMPDIR=" + os.TempDir(),
		"AWS_ACCESS_KEY_ID=test", "AWS_SECRET_ACCESS_KEY=test", "PYTHONDONTWRITEBYTECODE=1"}
	cmd.Stderr = os.Stderr
	stdin, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	return &servers{stdin: stdin, stdout: bufio.NewReader(stdout), kill: cmd.Process.Kill}, nil
})

// command sends one command and returns the reply, which takes a minute at most.
func (s *servers) command(text string) (string, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	// A late reply would be taken for that of the next command.
	timer := time.AfterFunc(time.Minute, func() { _ = s.kill() })
	defer timer.Stop()
	if _, err := fmt.Fprintln(s.stdin, text); err != nil {
		return "", fmt.Errorf("%s: %w", text, err)
	}
	reply, err := s.stdout.ReadString('\n')
	if err != nil {
		return "", fmt.Errorf("%s: %w", text, err)
	}
	return strings.TrimSpace(reply), nil
}
