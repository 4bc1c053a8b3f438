package rig

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"
)

const keptFailures = 20

// Failure is one request that did not get the answer it should.
type Failure struct {
	At, Ended time.Time // when the request began and ended
	Target
	Err error
	// Status is that of the answer, 0 when none came to its end.
	Status int
	// Kept: the connection had answered before.
	Kept bool
	// Worker is the HAProxy process that answered, or that had answered on the
	// connection, where HAProxy says so in HeaderWorker; else it is empty.
	Worker string
	// Instance is who answered or, where HAProxy says so in HeaderServer, to whom
	// the request went; else it is empty.
	Instance string
}

// Result is what a [Load] has counted.
type Result struct {
	Requests int // all of them, failed ones as well
	Failures int
	// IdleCloses are those of the failures where a kept connection was found
	// closed before the request was written.
	IdleCloses int
	// Instances counts the good answers by the instance that gave them.
	Instances  map[string]int
	MaxLatency time.Duration
	Began      time.Time
	Elapsed    time.Duration
	// Exhausted: MaxRequests was reached, so there was no load afterwards.
	Exhausted bool
	// First are the first failures, at most 20.
	First []Failure
}

// String tells the result in a few lines, the first failures with their times.
func (r Result) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%d requests, %d failures, %d instances, slowest %s, in %s",
		r.Requests, r.Failures, len(r.Instances), r.MaxLatency.Round(10*time.Microsecond), r.Elapsed.Round(time.Millisecond))
	if r.IdleCloses > 0 {
		fmt.Fprintf(&b, "\n  %d of the failures: %s", r.IdleCloses, errIdleClosed)
	}
	if r.Exhausted {
		b.WriteString("\n  it ended early: no requests were left")
	}
	for _, f := range r.First {
		fmt.Fprintf(&b, "\n  +%s %s %s: %s", f.At.Sub(r.Began).Round(time.Millisecond), f.At.Format("15:04:05.000"), f.Path, f.Err)
	}
	return b.String()
}

// tally is the one place where the clients of a load count.
type tally struct {
	mu     sync.Mutex
	left   int
	ended  time.Time // zero while the load runs
	counts Result
}

func (t *tally) begin(limit int) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.left = limit
	t.counts = Result{Began: time.Now(), Instances: make(map[string]int)}
}

// claim takes one of the requests that are left.
func (t *tally) claim() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.left == 0 {
		t.counts.Exhausted = true
		return false
	}
	t.left--
	return true
}

func (t *tally) add(began time.Time, target Target, a answer, err error) (f Failure, failed bool) {
	ended := time.Now()
	latency := ended.Sub(began)
	t.mu.Lock()
	defer t.mu.Unlock()
	t.counts.Requests++
	t.counts.MaxLatency = max(t.counts.MaxLatency, latency)
	if err == nil {
		t.counts.Instances[a.instance]++
		return f, false
	}
	f = Failure{At: began, Ended: ended, Target: target, Err: err, Status: a.status, Kept: a.kept, Worker: a.worker, Instance: a.instance}
	t.counts.Failures++
	if errors.Is(err, errIdleClosed) {
		t.counts.IdleCloses++
	}
	if len(t.counts.First) < keptFailures {
		t.counts.First = append(t.counts.First, f)
	}
	return f, true
}

func (t *tally) end() {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.ended.IsZero() {
		t.ended = time.Now()
	}
}

func (t *tally) result() Result {
	t.mu.Lock()
	defer t.mu.Unlock()
	r := t.counts
	r.Instances = maps.Clone(r.Instances)
	r.First = slices.Clone(r.First)
	r.Elapsed = time.Since(r.Began)
	if !t.ended.IsZero() {
		r.Elapsed = t.ended.Sub(r.Began)
	}
	return r
}
