package journal

import (
	"testing"

	"go.uber.org/goleak"
)

// TestMain: what the tests started has ended.
func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }
