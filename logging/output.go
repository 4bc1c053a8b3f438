package logging

import (
	"context"
	"io"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

const (
	// Bounds of the queue for a slow output, in lines and bytes; further lines are
	// dropped. A line of HAProxy's may have 64 KB, and six times that when escaped.
	maxWaiting      = 8192
	maxWaitingBytes = 4 << 20
	// drainWithin is how long the end of the process waits for the queue.
	drainWithin = time.Second
)

// Output is a writer that never blocks its caller: a full pipe, a stopped terminal or a
// closed stdout do no harm. Dropped lines are counted. Any goroutine may call its
// methods.
type Output struct {
	to      io.Writer
	lines   chan []byte
	waiting atomic.Int64 // bytes of lines, including those being added
	lost    atomic.Int64
	writing sync.WaitGroup
	close   func()
}

// NewOutput returns an output that writes to w until it is drained.
func NewOutput(w io.Writer) *Output {
	o := &Output{to: w, lines: make(chan []byte, maxWaiting)}
	ctx, cancel := context.WithCancel(context.Background())
	o.close = cancel
	o.writing.Go(func() { o.run(ctx) })
	return o
}

// Write queues one line. It never returns an error: nobody could handle it.
func (o *Output) Write(line []byte) (int, error) { return o.add(line, 1), nil }

// add queues a line if it fits into 1/part of the queue.
func (o *Output) add(line []byte, part int) int {
	size := int64(len(line))
	if o.waiting.Add(size) <= maxWaitingBytes/int64(part) && len(o.lines) < maxWaiting/part {
		select {
		case o.lines <- append([]byte(nil), line...):
			return len(line)
		default:
		}
	}
	o.waiting.Add(-size)
	o.lost.Add(1)
	return len(line)
}

// LowPriority returns a writer to the same output for lines that are dropped first: they
// leave half of the queue to the others.
func (o *Output) LowPriority() io.Writer { return lowPriority{o, 2} }

// LowestPriority returns a writer for lines that are dropped before those: they leave
// three quarters of the queue.
func (o *Output) LowestPriority() io.Writer { return lowPriority{o, 4} }

type lowPriority struct {
	*Output
	part int
}

func (s lowPriority) Write(line []byte) (int, error) { return s.add(line, s.part), nil }

// Counter returns a metric of the dropped lines.
func (o *Output) Counter(name, help string) prometheus.Collector {
	return prometheus.NewCounterFunc(prometheus.CounterOpts{Name: name, Help: help}, func() float64 { return float64(o.lost.Load()) })
}

func (o *Output) run(ctx context.Context) {
	for {
		select {
		case line := <-o.lines:
			o.put(line)
		case <-ctx.Done():
			o.flush()
			return
		}
	}
}

// flush writes the queue: if a line and the end come at once, select may choose the end.
func (o *Output) flush() {
	for {
		select {
		case line := <-o.lines:
			o.put(line)
		default:
			return
		}
	}
}

func (o *Output) put(line []byte) {
	o.waiting.Add(-int64(len(line)))
	if _, err := o.to.Write(line); err != nil {
		o.lost.Add(1)
	}
}

// Drain ends the output: it writes the queue for at most a second. Lines written later
// are lost. Call it once.
func (o *Output) Drain() {
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
