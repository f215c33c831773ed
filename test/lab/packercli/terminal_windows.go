// SPDX-License-Identifier: MPL-2.0

package packercli

import "os/exec"

// inTerminal kills a command, as Windows has no signals.
func inTerminal(cmd *exec.Cmd) { cmd.Cancel = cmd.Process.Kill }
