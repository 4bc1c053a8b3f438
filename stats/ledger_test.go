package stats

import (
	"fmt"
	"net/netip"
	"testing"
	"time"

	"github.com/haproxy-zk/haproxy-zk/haproxy"
)

// story is a ledger with a clock.
type story struct {
	*ledger
	t   *testing.T
	now time.Time
}

func newStory(t *testing.T) *story {
	t.Helper()
	return &story{ledger: newLedger(), t: t, now: time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)}
}

func instance(n int) netip.AddrPort {
	return netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, 0, byte(n >> 8), byte(n)}), 80)
}

// server returns the statistics of a server of the group web; instance 0 is none.
func server(name string, n int, sessions uint64) haproxy.Stats {
	s := haproxy.Stats{Kind: haproxy.OfServer, Proxy: "web", Server: name, Status: haproxy.StatusUp, Weight: 1, HTTP: true}
	if n > 0 {
		s.Addr = instance(n)
	}
	s.Counters[haproxy.TotalSessions] = sessions
	return s
}

// reads records a reading of workers, by pid.
func (s *story) reads(workers map[int][]haproxy.Stats) {
	s.now = s.now.Add(15 * time.Second)
	var pids []int
	for pid, rows := range workers {
		pids = append(pids, pid)
		s.read(pid, time.Time{}, s.now, s.now, rows)
	}
	s.complete(s.now, pids)
}

// counted asserts the sessions of instances.
func (s *story) counted(when string, want map[int]uint64) {
	s.t.Helper()
	for n, sessions := range want {
		var got uint64
		if t := s.totals[subject{haproxy.OfServer, "web", instance(n)}]; t != nil {
			got = t.counters[haproxy.TotalSessions]
		}
		if got != sessions {
			s.t.Errorf("%s: instance %d had %d sessions, want %d", when, n, got, sessions)
		}
	}
}

type rows = []haproxy.Stats

func TestWorkersAddUp(t *testing.T) {
	t.Parallel()
	s := newStory(t)
	s.reads(map[int][]haproxy.Stats{1: {server("web1", 1, 5)}, 2: {server("web1", 1, 7)}})
	s.counted("first", map[int]uint64{1: 12})
	s.reads(map[int][]haproxy.Stats{1: {server("web1", 1, 6)}, 2: {server("web1", 1, 9)}})
	s.counted("second", map[int]uint64{1: 15})
}

// HAProxy counts on when a slot gets another address.
func TestSlotsThatChangeHands(t *testing.T) {
	t.Parallel()
	s := newStory(t)
	s.reads(map[int][]haproxy.Stats{1: {server("web1", 1, 5)}})
	s.settle(1, server("web1", 1, 8), s.now.Add(time.Second)) // 3 since the last reading
	s.reads(map[int][]haproxy.Stats{1: {server("web1", 2, 10)}})
	s.counted("the next instance", map[int]uint64{1: 8, 2: 2})
	s.settle(1, server("web1", 2, 11), s.now.Add(time.Second))
	s.reads(map[int][]haproxy.Stats{1: {server("web1", 1, 12)}})
	s.counted("the first one is back", map[int]uint64{1: 9, 2: 3})
}

func TestSlotOfWhichNobodyAskedChangesHands(t *testing.T) {
	t.Parallel()
	s := newStory(t)
	s.settle(1, server("web1", 1, 100), s.now)
	s.settle(1, server("web1", 2, 150), s.now.Add(time.Second))
	s.now = s.now.Add(2 * time.Second)
	s.reads(map[int][]haproxy.Stats{1: {server("web1", 3, 160)}})
	s.counted("first", map[int]uint64{1: 0, 2: 0, 3: 10})
	if len(s.totals) != 1 {
		t.Errorf("%d totals, though nobody had asked", len(s.totals))
	}
}

// An operator may give a slot another address, which nobody settles.
func TestSlotThatChangesHandsUnnoticed(t *testing.T) {
	t.Parallel()
	s := newStory(t)
	s.reads(map[int][]haproxy.Stats{1: {server("web1", 1, 5)}})
	s.reads(map[int][]haproxy.Stats{1: {server("web1", 2, 9)}})
	s.counted("afterwards", map[int]uint64{1: 5, 2: 4})
}

// A reading that began before a slot was settled may have older figures of it.
func TestReadingOvertakenBySettling(t *testing.T) {
	t.Parallel()
	s := newStory(t)
	s.reads(map[int][]haproxy.Stats{1: {server("web1", 1, 5)}})
	asked := s.now.Add(time.Second)
	s.settle(1, server("web1", 1, 8), asked.Add(time.Millisecond))
	s.read(1, time.Time{}, asked, asked, rows{server("web1", 1, 7)})
	s.counted("afterwards", map[int]uint64{1: 8})
	s.reads(map[int][]haproxy.Stats{1: {server("web1", 2, 9)}})
	s.counted("later", map[int]uint64{1: 8, 2: 1})
}

func TestWorkersThatAreReplaced(t *testing.T) {
	t.Parallel()
	s := newStory(t)
	s.reads(map[int][]haproxy.Stats{1: {server("web1", 1, 5)}, 2: {server("web1", 1, 7)}})
	s.reads(map[int][]haproxy.Stats{3: {server("web4", 1, 1)}, 4: {server("web4", 1, 0)}})
	s.counted("after a reload, in another slot", map[int]uint64{1: 13})
	s.reads(map[int][]haproxy.Stats{3: {server("web4", 1, 2)}})
	s.counted("after a death", map[int]uint64{1: 14})
	if len(s.books) != 1 {
		t.Errorf("books of %d workers", len(s.books))
	}
}

func TestCountersThatWereCleared(t *testing.T) {
	t.Parallel()
	s := newStory(t)
	s.reads(map[int][]haproxy.Stats{1: {server("web1", 1, 5)}})
	s.reads(map[int][]haproxy.Stats{1: {server("web1", 1, 2)}})
	s.counted("afterwards", map[int]uint64{1: 7})
}

// A server that is deleted and added again counts from 0, also if it has overtaken its former
// figures by then, and whether somebody has asked before or not.
func TestDeletedServerKeepsItsCount(t *testing.T) {
	t.Parallel()
	for _, asked := range []bool{true, false} {
		s := newStory(t)
		if asked {
			s.reads(map[int][]haproxy.Stats{1: {server("10.0.0.1:80", 1, 5)}})
		}
		before := s.now
		s.now = s.now.Add(time.Second)
		s.removed(1, server("10.0.0.1:80", 1, 7), s.now)
		s.read(1, time.Time{}, before, before, rows{server("10.0.0.1:80", 1, 6)}) // asked for before
		s.now = s.now.Add(time.Second)
		s.reads(map[int][]haproxy.Stats{1: {server("10.0.0.1:80", 1, 100)}})
		s.counted("added again", map[int]uint64{1: 107})
	}
}

// A section `listen` is a frontend and a backend of the same name.
func TestKindsAreApart(t *testing.T) {
	t.Parallel()
	s := newStory(t)
	front, back := haproxy.Stats{Kind: haproxy.OfFrontend, Proxy: "web"}, haproxy.Stats{Kind: haproxy.OfBackend, Proxy: "web"}
	front.Counters[haproxy.BytesIn], back.Counters[haproxy.BytesIn] = 3, 4
	s.reads(map[int][]haproxy.Stats{1: {front, back}})
	for kind, want := range map[haproxy.StatsKind]uint64{haproxy.OfFrontend: 3, haproxy.OfBackend: 4} {
		if got := s.totals[subject{kind: kind, proxy: "web"}].counters[haproxy.BytesIn]; got != want {
			t.Errorf("kind %d has %d bytes, want %d", kind, got, want)
		}
	}
}

func TestDepartedInstancesAreForgotten(t *testing.T) {
	t.Parallel()
	s := newStory(t)
	s.reads(map[int][]haproxy.Stats{1: {server("web1", 1, 5), server("web2", 2, 6), server("web3", 0, 0)}})
	s.now = s.now.Add(rememberFor - time.Minute)
	s.reads(map[int][]haproxy.Stats{1: {server("web2", 2, 6)}})
	s.counted("within the hour", map[int]uint64{1: 5, 2: 6})
	s.now = s.now.Add(2 * time.Minute)
	s.reads(map[int][]haproxy.Stats{1: {server("web2", 2, 7)}})
	s.counted("after the hour", map[int]uint64{1: 0, 2: 7})
	s.reads(map[int][]haproxy.Stats{1: {server("web1", 1, 8), server("web2", 2, 7)}})
	s.counted("it returns to its slot", map[int]uint64{1: 3, 2: 7})
}

func TestLedgerIsBounded(t *testing.T) {
	t.Parallel()
	for name, settles := range map[string]bool{"while somebody reads": false, "when nobody reads any more": true} {
		s := newStory(t)
		s.reads(map[int][]haproxy.Stats{1: {server("web1", 1, 1)}})
		for n := 2; n < 2*maxGone; n++ {
			row := server("web1", n, uint64(n))
			switch {
			case settles:
				s.settle(1, row, s.now.Add(time.Duration(n)))
			case n%1000 == 0:
				s.reads(map[int][]haproxy.Stats{1: {row}})
			default:
				s.read(1, time.Time{}, s.now, s.now, rows{row})
			}
		}
		if n := len(s.totals); n > maxGone+1010 || n < maxGone/2 {
			t.Errorf("%s: %d totals", name, n)
		}
		if n := len(s.books[1].settled) + len(s.books[1].slots); n > 2 {
			t.Errorf("%s: %d slots of one", name, n)
		}
		s.counted(fmt.Sprintf("%s: the latest are remembered", name), map[int]uint64{2*maxGone - 1: 1})
	}
}

// The time of a status that does not change stays the same, whatever second HAProxy rounds
// it to and however long it takes to answer.
func TestTimeOfAStatusIsSteady(t *testing.T) {
	t.Parallel()
	s := newStory(t)
	began := s.now
	row := server("web1", 1, 0)
	for step, test := range []struct {
		at, takes, unchanged time.Duration
		status               haproxy.Status
		want                 time.Duration
	}{
		{10 * time.Second, 0, 10 * time.Second, haproxy.StatusUp, 0},
		{20*time.Second + 900*time.Millisecond, 0, 20 * time.Second, haproxy.StatusUp, 0},
		{29*time.Second + 100*time.Millisecond, 0, 30 * time.Second, haproxy.StatusUp, 0},
		{40 * time.Second, 8 * time.Second, 47 * time.Second, haproxy.StatusUp, 0}, // it was busy
		{60 * time.Second, 0, 3 * time.Second, haproxy.StatusDown, 57 * time.Second},
		{70 * time.Second, 0, 13 * time.Second, haproxy.StatusDown, 57 * time.Second},
		{80 * time.Second, 0, 3 * time.Second, haproxy.StatusDown, 77 * time.Second}, // it was up in between
	} {
		row.Status, row.Unchanged = test.status, test.unchanged
		asked := began.Add(test.at)
		s.read(1, time.Time{}, asked, asked.Add(test.takes), rows{row})
		if got := s.since(1, row).Sub(began); got != test.want {
			t.Errorf("step %d: since %v, want %v", step, got, test.want)
		}
	}
	if since := s.since(2, row); !since.IsZero() {
		t.Errorf("in a worker that was never read since %v", since)
	}
}
