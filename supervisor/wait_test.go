package supervisor

import (
	"testing"
	"time"
)

// soon is the deadline of what takes milliseconds on an idle machine.
const soon = 20 * time.Second

func eventually(t *testing.T, what string, is func() bool) {
	t.Helper()
	if !comes(is) {
		t.Fatalf("waited in vain: %s", what)
	}
}

// comes waits until is is true, or soon is over.
func comes(is func() bool) bool {
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

// arrives waits for a channel to be closed or to give a value.
func arrives[T any](t *testing.T, what string, from <-chan T) {
	t.Helper()
	select {
	case <-from:
	case <-time.After(soon):
		t.Fatalf("waited in vain: %s", what)
	}
}
