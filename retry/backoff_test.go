package retry

import (
	"fmt"
	"os"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

func TestBackoffDoublesUpToItsLimit(t *testing.T) {
	t.Parallel()
	const first, longest = 100 * time.Millisecond, 3 * time.Second
	for range 100 {
		b := Backoff(first, longest)
		middle := first
		for attempt := range 20 {
			pause := b.NextBackOff()
			if pause < middle/2 || pause > middle*3/2 || pause > longest {
				t.Fatalf("pause %d is %v, want %v ±50 %%, at most %v", attempt, pause, middle, longest)
			}
			middle = min(2*middle, longest*2/3)
		}
		b.Reset()
		if pause := b.NextBackOff(); pause > first*3/2 {
			t.Fatalf("the first pause after a reset is %v", pause)
		}
	}
}

func TestNoDescriptor(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		err  error
		want bool
	}{
		{&os.PathError{Op: "open", Path: "/x", Err: unix.EMFILE}, true},
		{fmt.Errorf("ask: %w", unix.ENFILE), true},
		{unix.ENOMEM, false},
		{nil, false},
	} {
		if got := NoDescriptor(tt.err); got != tt.want {
			t.Errorf("%v: %v", tt.err, got)
		}
	}
}
