package registry

import "time"

// Launched is how the latest start, reload or adoption of a proxy's HAProxy ended.
type Launched struct {
	// At is when it ended; zero if there was none yet.
	At time.Time
	// Cause is a word or two, as in [Launch].
	Cause string
	// Error is why it failed; empty if it succeeded. The previous generation, if any,
	// continues.
	Error string
}
