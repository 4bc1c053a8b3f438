package daemon

import (
	"context"
	"os"
	"runtime/debug"
	"runtime/metrics"
	"time"
)

const (
	// memoryEvery is how often the collector's target is adapted, the first time after the
	// start, whose garbage is given back then.
	memoryEvery = 10 * time.Second
	// Between two collections the heap grows by about heapRoom: with GOGC's default of 100 a
	// daemon with 20,000 servers would double. Within these limits of GOGC, small daemons do
	// not collect more often than by default, and large ones spend a few percent of their
	// CPU time on it.
	heapRoom     = 6 << 20
	leastPercent = 25
	mostPercent  = 100
	// The collector keeps what a burst of changes has freed for minutes. More than this goes
	// back to the kernel.
	keptFree = 8 << 20
)

// keepMemorySmall adapts the garbage collector to the heap and gives free memory back until
// ctx is done. GOGC in the environment takes precedence over the former.
func keepMemorySmall(ctx context.Context) {
	adapts := os.Getenv("GOGC") == ""
	ticker := time.NewTicker(memoryEvery)
	defer ticker.Stop()
	percent := mostPercent
	for started := false; ; started = true {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
		if now := gcPercent(sampled("/gc/heap/live:bytes")); adapts && now != percent {
			percent = now
			debug.SetGCPercent(percent)
		}
		if !started || sampled("/memory/classes/heap/free:bytes") > keptFree {
			debug.FreeOSMemory()
		}
	}
}

// gcPercent returns GOGC for a heap with so many live bytes, in steps that do not change
// with every collection.
func gcPercent(live uint64) int {
	const step = 5
	percent := 100 * heapRoom / max(live, 1)
	return int(min(max(percent/step*step, leastPercent), mostPercent)) //nolint:gosec // it is no more than mostPercent
}

// sampled returns a metric of the runtime in bytes; 0 if it has none of this name.
func sampled(name string) uint64 {
	sample := []metrics.Sample{{Name: name}}
	metrics.Read(sample)
	if sample[0].Value.Kind() != metrics.KindUint64 {
		return 0
	}
	return sample[0].Value.Uint64()
}
