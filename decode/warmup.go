package decode

import (
	"math"
	"net/url"
	"strconv"
	"time"

	"github.com/haproxy-zk/haproxy-zk/registry"
)

const (
	// warmupSteps is in how many steps a weight grows: each is a command to every worker.
	warmupSteps = 10
	maxWarmup   = 24 * time.Hour
	// clockDifference is how far a provider's clock may be ahead of ours.
	clockDifference = time.Minute
)

// Warmup is the time after its start during which an instance gets fewer requests. The zero
// value is none.
type Warmup struct {
	From time.Time
	For  time.Duration
	// Fixed is true if Terms apply meanwhile; otherwise the weight grows.
	Fixed bool
	Terms registry.Terms
}

// growing returns the warmup of an instance whose weight grows for a time after its start,
// both in milliseconds. Values that make no sense are none. See AbstractLoadBalance of Dubbo,
// whose default of ten minutes for instances that register none is not used: it is meant for
// Dubbo's own clients.
func growing(start, length string) Warmup {
	milliseconds := func(text string) int64 {
		n, err := strconv.ParseInt(text, 10, 64)
		if err != nil {
			return 0
		}
		return n
	}
	from, ms := milliseconds(start), milliseconds(length)
	if from <= 0 || from > math.MaxInt64/int64(time.Millisecond) || ms <= 0 || ms > maxWarmup.Milliseconds() {
		return Warmup{}
	}
	return Warmup{From: time.UnixMilli(from).UTC(), For: time.Duration(ms) * time.Millisecond}
}

// urlWarmup reads that of Dubbo's URLs, else that of SOFA RPC's, where a weight of its own
// applies meanwhile. See processWarmUpWeight of SOFA's RegistryUtils.
func urlWarmup(query url.Values) Warmup {
	if w := growing(query.Get("timestamp"), query.Get("warmup")); w.For > 0 {
		return w
	}
	w := growing(query.Get("startTime"), query.Get("warmupTime"))
	if w.For == 0 {
		return Warmup{}
	}
	var err error
	if w.Terms, err = parseWeight(w.Terms, query.Get("warmupWeight"), fullWeight); err != nil {
		return Warmup{}
	}
	w.Fixed = true
	return w
}

// TermsAt returns the terms at a time, and until when they apply; zero is for as long as
// the registration stays as it is.
func (r Registration) TermsAt(now time.Time) (t registry.Terms, until time.Time) {
	t = r.Terms
	age := now.Sub(r.Warmup.From)
	if r.Warmup.For == 0 || age >= r.Warmup.For || age < -clockDifference {
		return t, time.Time{}
	}
	if r.Warmup.Fixed {
		return r.Warmup.Terms, r.Warmup.From.Add(r.Warmup.For)
	}
	if t.Drain {
		return t, time.Time{}
	}
	step := max(age, 0) * warmupSteps / r.Warmup.For
	full := t.Weight
	if full == 0 {
		full = fullShare
	}
	t.Weight = max(full*int16(2*step+1)/(2*warmupSteps), 1) // that of the middle of the step
	return t, r.Warmup.From.Add((step+1)*r.Warmup.For/warmupSteps + 1)
}
