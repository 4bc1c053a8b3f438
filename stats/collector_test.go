package stats

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/haproxy-zk/haproxy-zk/haproxy"
)

// sample returns the value of the counter of a metric with a label of this value.
func sample(t *testing.T, reg *prometheus.Registry, metric, label string) float64 {
	t.Helper()
	families, err := reg.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range families {
		for _, m := range f.GetMetric() {
			for _, l := range m.GetLabel() {
				if f.GetName() == metric && l.GetValue() == label {
					return m.GetCounter().GetValue()
				}
			}
		}
	}
	return 0
}

// requests returns a reading and the requests that the instance had.
func requests(t *testing.T, c *Collector) (r *Reading, had uint64) {
	t.Helper()
	r, err := c.Read(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if len(r.Groups) > 0 {
		had = r.Groups[0].Instances[0].Counters[haproxy.TotalSessions]
	}
	return r, had
}

func TestReadersShareAReading(t *testing.T) {
	t.Parallel()
	one, other := startWorker(t, 11), startWorker(t, 12)
	fleet := &fakeFleet{}
	fleet.serve(one, other)
	c, passes := fleet.collector(prometheus.NewRegistry())
	var reading sync.WaitGroup
	for range 20 {
		reading.Go(func() {
			if r, err := c.Read(t.Context()); err != nil || r.Workers != 2 {
				t.Errorf("%+v, %v", r, err)
			}
		})
	}
	reading.Wait()
	if one.times() != 1 || other.times() != 1 {
		t.Errorf("asked %d and %d times", one.times(), other.times())
	}
	one.had(5)
	if _, had := requests(t, c); had != 2 {
		t.Errorf("within the second: %d requests", had)
	}
	passes(maxAge)
	if _, had := requests(t, c); had != 6 {
		t.Errorf("after a second: %d requests", had)
	}
}

func TestNobodyAsksNobodyReads(t *testing.T) {
	t.Parallel()
	w := startWorker(t, 11)
	fleet := &fakeFleet{}
	fleet.serve(w)
	c, _ := fleet.collector(prometheus.NewRegistry())
	c.ReadLast(t.Context())
	c.Settle(11, server("web1", 1, 5))
	if n := w.times(); n != 0 {
		t.Errorf("asked %d times", n)
	}
	requests(t, c)
	c.ReadLast(t.Context())
	if n := w.times(); n != 2 {
		t.Errorf("asked %d times", n)
	}
}

func TestSilentWorkerIsMissing(t *testing.T) {
	t.Parallel()
	one, other := startWorker(t, 11), startWorker(t, 12)
	fleet := &fakeFleet{}
	fleet.serve(one, other)
	reg := prometheus.NewRegistry()
	c, passes := fleet.collector(reg)
	requests(t, c)
	c.opts.Timeout = 50 * time.Millisecond
	other.set(func() { other.hang = true })
	one.had(3)
	passes(maxAge)
	r, had := requests(t, c)
	if i := r.Groups[0].Instances[0]; r.Workers != 1 || len(r.Silent) != 1 || had != 4 || i.Sessions != 1 || !i.Up {
		t.Errorf("%d requests of %+v", had, r)
	}
	one.set(func() { one.hang = true })
	passes(maxAge)
	if r, _ := requests(t, c); r.Workers != 0 || len(r.Silent) != 2 || len(r.Groups) != 0 {
		t.Errorf("%+v", r)
	}
	for _, w := range []*fakeWorker{one, other} {
		w.set(func() { w.hang = false })
	}
	passes(maxAge)
	if _, had := requests(t, c); had != 4 {
		t.Errorf("%d requests once they answer again", had)
	}
	if counted := sample(t, reg, "haproxyzk_statistics_reads_total", "error"); counted != 3 {
		t.Errorf("%v errors counted", counted)
	}
}

func TestInvalidReplyIsMissing(t *testing.T) {
	t.Parallel()
	w := startWorker(t, 11)
	fleet := &fakeFleet{}
	fleet.serve(w)
	c, _ := fleet.collector(prometheus.NewRegistry())
	w.replies("web,web1,x,\n")
	if r, _ := requests(t, c); len(r.Silent) != 1 || w.times() != 1 {
		t.Errorf("%+v after %d requests", r, w.times())
	}
}

// During a reload, the old workers share their sockets with the new ones until they are
// released. Then only the new ones answer, which the fleet learns of a moment later.
func TestReadingDuringAReload(t *testing.T) {
	t.Parallel()
	old, next := startWorker(t, 11), startWorker(t, 12)
	next.Socket = old.Socket
	fleet := &fakeFleet{}
	fleet.serve(old)
	c, passes := fleet.collector(prometheus.NewRegistry())
	old.had(10)
	requests(t, c)
	old.had(15)
	old.set(func() { old.others = 3 })
	c.ReadLast(t.Context()) // the new ones are proven

	old.set(func() { old.PID = 12; old.others = 0 })
	old.had(2)
	passes(maxAge)
	var reading sync.WaitGroup
	reading.Go(func() {
		if r, had := requests(t, c); r.Workers != 1 || had != 17 {
			t.Errorf("%d requests of %+v", had, r)
		}
	})
	again := time.NewTicker(time.Millisecond)
	defer again.Stop()
	before, deadline := old.times(), time.Now().Add(10*time.Second)
	for old.times() < before+2 && time.Now().Before(deadline) {
		<-again.C
	}
	fleet.serve(next)
	reading.Wait()
}

func TestDeadWorkersCountersRemain(t *testing.T) {
	t.Parallel()
	one, other := startWorker(t, 11), startWorker(t, 12)
	fleet := &fakeFleet{}
	fleet.serve(one, other)
	c, passes := fleet.collector(prometheus.NewRegistry())
	one.had(10)
	requests(t, c)
	fleet.serve(other)
	passes(maxAge)
	if r, had := requests(t, c); had != 11 || r.Workers != 1 || len(r.Silent) != 0 {
		t.Errorf("%d requests of %+v", had, r)
	}
}

// What is settled while the workers are read is recorded afterwards.
func TestSettlingDuringAReading(t *testing.T) {
	t.Parallel()
	w := startWorker(t, 11)
	fleet := &fakeFleet{}
	fleet.serve(w)
	c, passes := fleet.collector(prometheus.NewRegistry())
	serves := func(n, sessions int) {
		w.replies(fmt.Sprintf("web,BACKEND,0,0,100,15,0,0,0,0,UP,1,,1,0,0,0,0,0,0,0,0,,\nweb,web1,0,0,,%d,0,0,,0,UP,1,0,2,0,0,0,0,0,0,0,,%s,\n", sessions, instance(n)))
	}
	serves(1, 10)
	requests(t, c)
	c.turn <- struct{}{} // somebody reads
	c.Settle(11, server("web1", 1, 15))
	c.end()
	serves(2, 17)
	passes(maxAge)
	r, _ := requests(t, c)
	had := make(map[string]uint64)
	for _, i := range r.Groups[0].Instances {
		had[i.Addr.String()] = i.Counters[haproxy.TotalSessions]
	}
	if diff := cmp.Diff(map[string]uint64{"10.0.0.1:80": 15, "10.0.0.2:80": 2}, had); diff != "" {
		t.Errorf("-want +got\n%s", diff)
	}
}

func TestReadingEndsWithItsContext(t *testing.T) {
	t.Parallel()
	w := startWorker(t, 11)
	fleet := &fakeFleet{}
	fleet.serve(w)
	c, _ := fleet.collector(prometheus.NewRegistry())
	c.turn <- struct{}{} // somebody reads
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := c.Read(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("%v", err)
	}
	begun := time.Now()
	c.ReadLast(t.Context())
	if took := time.Since(begun); took < lastWithin || took > 10*lastWithin || w.times() != 0 {
		t.Errorf("the last reading waited for %v and asked %d times", took, w.times())
	}
}
