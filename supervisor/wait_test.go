package supervisor

import (
	"testing"
	"time"
)

// soon is the timeout for operations that take milliseconds on an idle machine.
const soon = 20 * time.Second

func eventually(t *testing.T, what string, is func() bool) {
	t.Helper()
	if !pollUntil(is) {
		t.Fatalf("timed out waiting: %s", what)
	}
}

// pollUntil waits until is returns true, and returns false after soon.
func pollUntil(is func() bool) bool {
	deadline := time.After(soon)
	for !is() {
		select {
		case <-deadline:
			return false
		case <-time.After(2 * time.Millisecond):
		}
	}
	return true
}

// waitFor waits until a channel is closed or delivers a value.
func waitFor[T any](t *testing.T, what string, from <-chan T) {
	t.Helper()
	select {
	case <-from:
	case <-time.After(soon):
		t.Fatalf("timed out waiting: %s", what)
	}
}
