package main

import (
	"context"
	"io"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

const (
	// So many log lines wait for an output that is slow; more are dropped.
	maxWaiting = 8192
	// drainWithin is how long the end of the process waits for what waits.
	drainWithin = time.Second
)

// output is a writer that never makes its caller wait: a full pipe, a stopped
// terminal or a closed stdout harm nobody. Lines that it cannot take are counted.
type output struct {
	to      io.Writer
	lines   chan []byte
	lost    atomic.Int64
	writing sync.WaitGroup
	close   func()
}

// newOutput returns an output that writes to w until it is drained.
func newOutput(w io.Writer) *output {
	o := &output{to: w, lines: make(chan []byte, maxWaiting)}
	ctx, cancel := context.WithCancel(context.Background())
	o.close = cancel
	o.writing.Go(func() { o.write(ctx) })
	return o
}

// Write takes one line. It returns no error: there is nobody to tell.
func (o *output) Write(line []byte) (int, error) {
	select {
	case o.lines <- append([]byte(nil), line...):
	default:
		o.lost.Add(1)
	}
	return len(line), nil
}

// spare is an output for lines that are the first to be dropped: they leave half
// of the queue to the others.
type spare struct{ *output }

func (s spare) Write(line []byte) (int, error) {
	if len(s.lines) >= maxWaiting/2 {
		s.lost.Add(1)
		return len(line), nil
	}
	return s.output.Write(line)
}

// counter is of the lines that were lost.
func (o *output) counter() prometheus.Collector {
	return prometheus.NewCounterFunc(prometheus.CounterOpts{
		Name: "haproxyzk_log_lines_lost_total",
		Help: "Lines of the log, ours and HAProxy's, that were dropped because the output was too slow or closed.",
	}, func() float64 { return float64(o.lost.Load()) })
}

func (o *output) write(ctx context.Context) {
	for {
		select {
		case line := <-o.lines:
			o.put(line)
		case <-ctx.Done():
			o.rest()
			return
		}
	}
}

// rest writes what waits: where a line and the end come at once, select may have
// taken the end.
func (o *output) rest() {
	for {
		select {
		case line := <-o.lines:
			o.put(line)
		default:
			return
		}
	}
}

func (o *output) put(line []byte) {
	if _, err := o.to.Write(line); err != nil {
		o.lost.Add(1)
	}
}

// drain writes what waits, for a second at most.
func (o *output) drain() {
	o.close()
	written := make(chan struct{})
	go func() {
		defer close(written)
		o.writing.Wait()
	}()
	select {
	case <-written:
	case <-time.After(drainWithin):
	}
}
