package daemon

import (
	"context"
	"runtime"
	"runtime/debug"
	"testing"
	"testing/synctest"
	"time"
)

func TestCollectorLeavesRoomOfMegabytes(t *testing.T) {
	for live, want := range map[uint64]int{0: 100, 4 << 20: 100, 6 << 20: 100, 8 << 20: 75, 20 << 20: 30, 1 << 30: 25} {
		if got := gcPercent(live); got != want {
			t.Errorf("%d MB: %d, want %d", live>>20, got, want)
		}
	}
}

func TestGOGCTakesPrecedence(t *testing.T) {
	for environment, want := range map[string]bool{"": true, "123": false} {
		t.Setenv("GOGC", environment)
		before := debug.SetGCPercent(123)
		ballast := make([]byte, 64<<20)
		synctest.Test(t, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), 3*memoryEvery)
			defer cancel()
			keepMemorySmall(ctx)
		})
		if got := debug.SetGCPercent(before); (got != 123) != want {
			t.Errorf("GOGC=%q: %d", environment, got)
		}
		ballast[0] = 1
	}
}

func TestFreedMemoryIsGivenBack(t *testing.T) {
	const burst = 64 << 20
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), 3*memoryEvery+time.Second)
		defer cancel()
		time.AfterFunc(memoryEvery+time.Second, func() { // after what is given back at the start
			garbage := make([]byte, burst)
			for i := range garbage {
				garbage[i] = 1
			}
			runtime.GC() // of what is not referenced any more
		})
		keepMemorySmall(ctx)
	})
	if kept := sampled("/memory/classes/heap/free:bytes"); kept > burst/2 {
		t.Errorf("%d MB are kept", kept>>20)
	}
}
