// SPDX-License-Identifier: MPL-2.0

//go:build unix

package packercli

import (
	"os/exec"
	"syscall"
)

// inTerminal gives a command a process group, as a shell does, and interrupts the whole group.
func inTerminal(cmd *exec.Cmd) {
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGINT) }
}
