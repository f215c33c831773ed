// SPDX-License-Identifier: MPL-2.0

package packercli

import "os/exec"

// inTerminal kills a command where there are no signals.
func inTerminal(cmd *exec.Cmd) { cmd.Cancel = cmd.Process.Kill }
