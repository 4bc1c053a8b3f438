package stats

import (
	"cmp"
	"context"
	"errors"
	"log/slog"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/haproxy-zk/haproxy-zk/haproxy"
	"github.com/haproxy-zk/haproxy-zk/registry"
)

const (
	// maxAge is how old a reading may be that is given to somebody who asks.
	maxAge = time.Second
	// During a reload a worker of the other generation may answer, and a worker that has
	// ended does not: then the workers that serve by now are asked again, at most so often.
	attempts = 10
	// The pauses in between are doubled from again to longest.
	again, longest = 5 * time.Millisecond, 50 * time.Millisecond
	// lastWithin bounds the last reading of a generation: a reload waits for it.
	lastWithin = 500 * time.Millisecond
)

// Fleet is what a Collector needs to know of its proxy. Its methods are called from any
// goroutine and must not block.
type Fleet interface {
	// Workers returns the living workers of the serving generation.
	Workers() []registry.Worker
	// Snapshot returns what the proxy is meant to serve.
	Snapshot() *registry.Snapshot
}

// Options of a [Collector].
type Options struct {
	Proxy string
	// Timeout bounds one request to a stats socket.
	Timeout time.Duration
	Logger  *slog.Logger
	Metrics *Metrics

	// clock is time.Now except in tests.
	clock func() time.Time
}

// Collector reads the statistics of the workers of one proxy. Any goroutine may call its
// methods.
type Collector struct {
	opts  Options
	fleet Fleet
	asked atomic.Bool
	// turn is held while the workers are read, so that readings are recorded in the order
	// in which they were made. Its holder owns the ledger.
	turn   chan struct{}
	ledger *ledger
	// rows is how many a worker has reported last.
	rows   int
	latest atomic.Pointer[Reading]
	groups recentGroups

	mu sync.Mutex
	// settled are figures that are not recorded yet because the workers are being read.
	settled []settled
}

// settled are the last figures of an instance in one worker.
type settled struct {
	pid int
	row haproxy.Stats
	at  time.Time
	// deleted is true if the server is gone.
	deleted bool
}

// New returns a collector. It reads nothing before somebody asks.
func New(o Options) *Collector {
	if o.clock == nil {
		o.clock = time.Now
	}
	return &Collector{opts: o, turn: make(chan struct{}, 1), ledger: newLedger()}
}

// Follow says which fleet to read. Call it once, before any other method.
func (c *Collector) Follow(f Fleet) { c.fleet = f }

// Read returns a reading that is at most a second old. All who ask meanwhile get the same
// one. It blocks until the workers have answered, at most for a few seconds; the error is
// that of ctx. Workers that do not answer are missing in the reading.
func (c *Collector) Read(ctx context.Context) (*Reading, error) {
	c.asked.Store(true)
	if r := c.fresh(); r != nil {
		return r, nil
	}
	if err := c.begin(ctx); err != nil {
		return nil, err
	}
	defer c.end()
	if r := c.fresh(); r != nil {
		return r, nil // somebody else was first
	}
	// What is read is for all who ask, not only for this one.
	return c.readAll(context.WithoutCancel(ctx)), nil
}

// ReadLast records the last figures of the serving generation, which is about to be asked
// to finish: afterwards its sockets are those of the next one. It takes at most a second,
// and nothing if nobody has ever asked.
func (c *Collector) ReadLast(ctx context.Context) {
	if !c.asked.Load() {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, lastWithin)
	defer cancel()
	if err := c.begin(ctx); err != nil {
		c.opts.Logger.Debug("the last figures of the replaced HAProxy were not read", "error", err)
		return
	}
	defer c.end()
	c.readAll(ctx)
}

// Settle records the last figures that a worker has of a server whose instance has left,
// before another instance gets it. It does not block: while the workers are read, the
// figures wait.
func (c *Collector) Settle(pid int, row haproxy.Stats) {
	c.last(settled{pid: pid, row: row, at: c.opts.clock()})
}

// Removed records the last figures that a worker had of a server which was deleted: another
// one of that name would count from 0. It does not block either.
func (c *Collector) Removed(pid int, row haproxy.Stats) {
	c.last(settled{pid: pid, row: row, at: c.opts.clock(), deleted: true})
}

func (c *Collector) last(figures settled) {
	c.mu.Lock()
	c.settled = append(c.settled, figures)
	c.mu.Unlock()
	select {
	case c.turn <- struct{}{}:
		c.settle()
		c.end()
	default:
	}
}

// settle records the figures that wait.
func (c *Collector) settle() {
	c.mu.Lock()
	waiting := c.settled
	c.settled = nil
	c.mu.Unlock()
	for _, s := range waiting {
		if s.deleted {
			c.ledger.removed(s.pid, s.row, s.at)
		} else {
			c.ledger.settle(s.pid, s.row, s.at)
		}
	}
}

func (c *Collector) fresh() *Reading {
	if r := c.latest.Load(); r != nil && c.opts.clock().Sub(r.At) < maxAge {
		return r
	}
	return nil
}

func (c *Collector) begin(ctx context.Context) error {
	select {
	case c.turn <- struct{}{}:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (c *Collector) end() { <-c.turn }

// answer is what one worker answered.
type answer struct {
	// asked is when it was asked, arrived when it had answered, and started when it started;
	// zero is unknown.
	asked, arrived, started time.Time
	rows                    []haproxy.Stats
	err                     error
	// other is true if the worker may have been replaced.
	other bool
}

// readAll reads all workers and records what they have counted.
func (c *Collector) readAll(ctx context.Context) *Reading {
	began := c.opts.clock()
	r := c.record(began, c.answers(ctx, haproxy.ShowStats))
	c.latest.Store(r)
	return r
}

// answers asks all workers for statistics.
func (c *Collector) answers(ctx context.Context, request string) map[int]answer {
	answers := make(map[int]answer)
	for attempt, pause := 1, again; ; attempt, pause = attempt+1, min(2*pause, longest) {
		workers := c.fleet.Workers()
		unread := slices.DeleteFunc(slices.Clone(workers), func(w registry.Worker) bool {
			a, asked := answers[w.PID]
			return asked && a.err == nil
		})
		others := c.ask(ctx, request, unread, answers)
		if !others || attempt == attempts || !wait(ctx, pause) {
			return answers
		}
	}
}

// ask asks workers in parallel. It reports whether others may be the ones to ask.
func (c *Collector) ask(ctx context.Context, request string, workers []registry.Worker, answers map[int]answer) (others bool) {
	got := make([]answer, len(workers))
	var asking sync.WaitGroup
	for i, w := range workers {
		asking.Go(func() { got[i] = c.askOne(ctx, request, w) })
	}
	asking.Wait()
	for i, w := range workers {
		answers[w.PID] = got[i]
		others = others || got[i].other
	}
	return others
}

func (c *Collector) askOne(ctx context.Context, request string, w registry.Worker) answer {
	a := answer{asked: c.opts.clock()}
	if request == haproxy.ShowStats {
		a.rows = make([]haproxy.Stats, 0, c.rows)
	}
	// The reply may have megabytes: it is parsed while HAProxy still writes it.
	lines := haproxy.NewStatsLines(func(s haproxy.Stats) { a.rows = append(a.rows, s) })
	var malformed error
	info, err := haproxy.Client{Path: w.Socket, Timeout: c.opts.Timeout}.AskLines(ctx, w.PID, func(line []byte) error {
		if malformed == nil {
			malformed = lines.Take(line)
		}
		return nil
	}, request)
	a.arrived = c.opts.clock()
	if err != nil {
		a.err, a.other = err, !haproxy.IsTimeout(err) && !errors.Is(err, haproxy.ErrReplyTooLong)
		return a
	}
	if uptime, err := haproxy.ParseUptime(info); err == nil {
		a.started = a.asked.Add(-uptime)
	}
	a.err = cmp.Or(malformed, lines.End())
	return a
}

// record records the answers and makes a reading of those of the workers that serve.
func (c *Collector) record(began time.Time, answers map[int]answer) *Reading {
	// In this order: whatever was settled of a worker is recorded before it is dropped. One
	// that served when it was asked may have been replaced meanwhile.
	workers := c.fleet.Workers()
	c.settle()
	for pid, a := range answers {
		if a.err == nil {
			c.ledger.read(pid, a.started, a.asked, a.arrived, a.rows)
			c.rows = len(a.rows)
		}
	}
	pids := make([]int, len(workers))
	for i, w := range workers {
		pids[i] = w.PID
	}
	c.ledger.complete(began, pids)
	r := c.merge(c.fleet.Snapshot(), workers, answers)
	if r.Workers > 0 {
		c.ledger.mark()
	}
	return r
}

// merge makes a reading of the wanted groups of what the workers that serve have answered,
// which is recorded.
func (c *Collector) merge(want *registry.Snapshot, workers []registry.Worker, answers map[int]answer) *Reading {
	reports, silent := c.reports(workers, answers)
	r := merge(c.ledger, want, c.opts.clock(), reports)
	r.Silent = silent
	c.opts.Metrics.count(c.opts.Proxy, len(reports), len(silent))
	return r
}

// reports returns what the workers that serve have answered, and which have not.
func (c *Collector) reports(workers []registry.Worker, answers map[int]answer) (reports []answered, silent []int) {
	var errs []error
	for _, w := range workers {
		switch a, asked := answers[w.PID]; {
		case asked && a.err == nil:
			reports = append(reports, answered{w.PID, a.rows})
		default:
			silent, errs = append(silent, w.PID), append(errs, cmp.Or(a.err, errNotAsked))
		}
	}
	if err := errors.Join(errs...); err != nil {
		c.opts.Logger.Debug("a worker does not report its statistics", "error", err)
	}
	return reports, silent
}

// errNotAsked is the error of a worker that began to serve during a reading.
var errNotAsked = errors.New("the worker has just begun to serve")

// wait waits and reports whether it was not interrupted.
func wait(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}
