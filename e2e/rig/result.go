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

// Failure is a request that did not get the expected answer.
type Failure struct {
	At, Ended time.Time // when the request began and ended
	Target
	Err error
	// Status is the status of the answer, 0 without a complete one.
	Status int
	// Kept is true if the connection had answered before.
	Kept bool
	// Worker is the HAProxy process that answered, or that had answered on the
	// connection, if HAProxy sets HeaderWorker; otherwise empty.
	Worker string
	// Instance is the instance that answered or, if HAProxy sets HeaderServer, the one
	// that the request was sent to; otherwise empty.
	Instance string
}

// Result is what a [Load] has counted.
type Result struct {
	Requests int // all of them, including failed ones
	Failures int
	// IdleCloses are the failures where a kept connection was found closed before the
	// request was written.
	IdleCloses int
	// Instances counts the good answers by instance.
	Instances  map[string]int
	MaxLatency time.Duration
	Began      time.Time
	Elapsed    time.Duration
	// Exhausted is true if MaxRequests was reached, after which there was no load.
	Exhausted bool
	// First are the first failures, at most 20.
	First []Failure
}

// String summarizes the result in a few lines, with the first failures and their times.
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

// tally is where all clients of a load count.
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

// claim takes one of the remaining requests.
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

func (t *tally) add(began time.Time, target Target, a reply, err error) (f Failure, failed bool) {
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
