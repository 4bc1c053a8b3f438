package stats

import (
	"math"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/haproxy-zk/haproxy-zk/haproxy"
)

// after makes a reading some time after the previous one, of workers that started at the
// times in started, or at an unknown one.
func (s *story) after(d time.Duration, started map[int]time.Time, workers map[int][]haproxy.Stats) *Reading {
	s.t.Helper()
	s.now = s.now.Add(d)
	var pids []int
	var answers []answered
	for pid, rows := range workers {
		pids = append(pids, pid)
		rows = append(rows, backend())
		s.read(pid, started[pid], s.now, s.now, rows)
		answers = append(answers, answered{pid, rows})
	}
	s.complete(s.now, pids)
	r := merge(s.ledger, meant(1, 2), s.now, answers)
	s.mark()
	return r
}

// expectRate asserts the window, and the sessions per second of the first instance.
func expectRate(t *testing.T, when string, r *Reading, window time.Duration, rate float64) {
	t.Helper()
	got := r.Groups[0].Instances[0].Rates.Sessions
	if r.Window != window || math.Abs(got-rate) > 1e-9 {
		t.Errorf("%s: %v/s over %v, want %v/s over %v", when, got, r.Window, rate, window)
	}
}

func of(sessions uint64) map[int][]haproxy.Stats {
	return map[int][]haproxy.Stats{1: {server("web1", 1, sessions)}}
}

func TestRatesOfTheLastSeconds(t *testing.T) {
	t.Parallel()
	s := newStory(t)
	had := uint64(1000)
	expectRate(t, "first", s.after(0, nil, of(had)), 0, 0)
	expectRate(t, "too soon", s.after(10*time.Millisecond, nil, of(had)), 0, 0)
	expectRate(t, "within a second", s.after(990*time.Millisecond, nil, of(had+20)), time.Second, 20)
	for second := 2; second <= 60; second++ {
		had += 20
		if second == 50 {
			had += 600
		}
		r := s.after(time.Second, nil, of(had+20))
		if second > 10 && (r.Window < markFor || r.Window >= 2*markFor) {
			t.Errorf("after %d s: a window of %v", second, r.Window)
		}
		if rate := r.Groups[0].Instances[0].Rates.Sessions; second < 50 && math.Abs(rate-20) > 1e-9 || second == 50 && rate < 80 || second == 60 && math.Abs(rate-20) > 1e-9 {
			t.Errorf("after %d s: %v/s", second, rate)
		}
	}
	s = newStory(t)
	s.after(0, nil, of(10))
	for range 5 {
		s.after(15*time.Second, nil, of(10))
	}
	expectRate(t, "a reader every 15 s", s.after(15*time.Second, nil, of(40)), 15*time.Second, 2)
	expectRate(t, "after an hour in which nobody asked", s.after(time.Hour, nil, of(1e6)), 0, 0)
	expectRate(t, "a second later", s.after(time.Second, nil, of(1e6+3)), time.Second, 3)
}

// What a worker counted while nobody read it never becomes a rate.
func TestRatesOverReloads(t *testing.T) {
	t.Parallel()
	s := newStory(t)
	s.after(0, nil, of(1e9))
	s.after(5*time.Second, nil, of(1e9+50))
	launched := map[int]time.Time{2: s.now.Add(time.Second)}
	expectRate(t, "a reload", s.after(5*time.Second, launched, map[int][]haproxy.Stats{2: {server("web4", 1, 50)}}), 5*time.Second, 10)
	two := map[int][]haproxy.Stats{2: {server("web4", 1, 100)}, 3: {server("web1", 1, 1e9)}}
	expectRate(t, "another worker, older than the window", s.after(5*time.Second, nil, two), 5*time.Second, 10)
	two[3] = rows{server("web1", 1, 1e9+50)}
	two[2] = rows{server("web4", 1, 150)}
	expectRate(t, "then", s.after(5*time.Second, nil, two), 5*time.Second, 20)
	silent := map[int][]haproxy.Stats{2: {server("web4", 1, 150)}}
	s.read(3, time.Time{}, s.now.Add(time.Second), s.now.Add(time.Second), two[3])
	for range 6 {
		s.now = s.now.Add(5 * time.Second)
		s.read(2, time.Time{}, s.now, s.now, silent[2])
		s.complete(s.now, []int{2, 3})
		s.mark()
	}
	two[2], two[3] = silent[2], rows{server("web1", 1, 2e9)}
	expectRate(t, "a worker that was silent for half a minute", s.after(5*time.Second, nil, two), 5*time.Second, 0)
	two[2], two[3] = rows{server("web4", 1, 5)}, rows{server("web1", 1, 0)}
	expectRate(t, "counters that were cleared", s.after(5*time.Second, nil, two), 5*time.Second, 1)
}

func TestRatesOfSlotsThatChangeHands(t *testing.T) {
	t.Parallel()
	s := newStory(t)
	s.after(0, nil, of(1e6))
	s.settle(1, server("web1", 1, 1e6+8), s.now.Add(time.Second))
	r := s.after(2*time.Second, nil, map[int][]haproxy.Stats{1: {server("web1", 2, 1e6+12)}})
	if i := r.Groups[0].Instances; len(i) != 2 || !i[0].Gone || i[0].Rates.Sessions != 0 || i[1].Rates.Sessions != 2 {
		t.Errorf("%+v", i)
	}
	r = s.after(2*time.Second, nil, map[int][]haproxy.Stats{1: {server("web1", 1, 1e6+20)}})
	if i := r.Groups[0].Instances; r.Window != 4*time.Second || i[0].Rates.Sessions != 4 {
		t.Errorf("back within the window: %v %+v", r.Window, i)
	}
}

func TestRatesOfEachKind(t *testing.T) {
	t.Parallel()
	w := startWorker(t, 11)
	fleet := &fakeFleet{}
	fleet.serve(w)
	c, passes := fleet.collector(prometheus.NewRegistry())
	requests(t, c)
	passes(2 * time.Second)
	w.replies(`fe,FRONTEND,,1,1000,21,210,420,3,,OPEN,,,0,,0,1,0,0,20,0,21,,
web,BACKEND,0,1,100,21,210,420,0,7,UP,1,,1,5,0,1,0,0,20,0,21,,
web,web1,0,1,,21,210,420,,4,UP,1,2,2,5,0,1,0,0,10,0,,10.0.0.1:80,
`)
	r, _ := requests(t, c)
	near := func(name string, got, want float64) {
		t.Helper()
		if got < want*0.9 || got > want {
			t.Errorf("%s: %v, want %v", name, got, want)
		}
	}
	front, group, one := r.Frontends[0], r.Groups[0], r.Groups[0].Instances[0]
	near("requests of a frontend", front.Rates.Requests, 10)
	near("bytes out of a frontend", front.Rates.BytesOut, 200)
	near("errors of a group", group.Rates.Errors(true, false), 10)
	near("errors of an instance", one.Rates.Errors(true, true), 7)
	near("errors without HTTP", one.Rates.Errors(false, true), 2)
	near("share of 5xx", one.Rates.Share5xx(), 1)
	if share := (Rates{}).Share5xx(); share != 0 {
		t.Errorf("share of nothing: %v", share)
	}
}
