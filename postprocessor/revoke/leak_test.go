// SPDX-License-Identifier: MPL-2.0

package revoke

import (
	"testing"

	"go.uber.org/goleak"
)

// TestMain wants no goroutine left when all tests have ended.
func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }
