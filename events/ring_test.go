package events

import (
	"fmt"
	"net/netip"
	"reflect"
	"strings"
	"sync"
	"testing"
	"unicode"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/haproxy-zk/haproxy-zk/registry"
)

// instance returns the n-th instance of the tests.
func instance(n int) registry.Instance {
	return registry.Instance{Addr: netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, 0, byte(n >> 8), byte(n)}), 80)}
}

// serving returns the event of an instance that is put into service.
func serving(n int) registry.Event {
	return registry.Event{Kind: registry.EventServing, Proxy: "ngboss", Group: "web", Instance: instance(n), Reason: "registered"}
}

func reload(cause string) registry.Event {
	return registry.Event{Kind: registry.EventReload, Proxy: "ngboss", Reason: cause}
}

func held(group string) registry.Event {
	return registry.Event{Kind: registry.EventHeld, Proxy: "ngboss", Group: group}
}

// kept returns the numbers of all events of a ring.
func kept(r *Ring) (numbers []uint64) {
	for _, e := range r.After(0, 1<<20).Events {
		numbers = append(numbers, e.Seq)
	}
	return numbers
}

func same(t *testing.T, what string, want, got any) {
	t.Helper()
	if diff := cmp.Diff(want, got, cmpopts.EquateEmpty(), cmpopts.EquateComparable(netip.AddrPort{}, netip.Addr{})); diff != "" {
		t.Errorf("%s (-want +got):\n%s", what, diff)
	}
}

func TestReaderGetsEventsInOrder(t *testing.T) {
	t.Parallel()
	r := NewRing()
	same(t, "an empty ring", Page{}, r.After(0, 10))
	changed := r.Changed(0)
	for _, e := range []registry.Event{reload("start"), serving(1), held("web"), serving(2), reload("slots")} {
		r.Append(e)
	}
	select {
	case <-changed:
	default:
		t.Error("the waiting reader was not woken")
	}
	first := r.After(0, 3)
	same(t, "the first page", []uint64{1, 2, 3}, numbers(first))
	same(t, "the latest", uint64(5), first.Last)
	rest := r.After(3, 3)
	same(t, "the second page", []uint64{4, 5}, numbers(rest))
	same(t, "nothing changes on the way", serving(2), rest.Events[0].Event)
	same(t, "beyond the end", []uint64{}, numbers(r.After(9, 3)))
	select {
	case <-r.Changed(4):
	default:
		t.Error("a reader waits although there is an event")
	}
	select {
	case <-r.Changed(5):
		t.Error("a reader is woken without an event")
	default:
	}
}

func numbers(p Page) (numbers []uint64) {
	for _, e := range p.Events {
		numbers = append(numbers, e.Seq)
	}
	return numbers
}

// TestFloodOfInstancesDisplacesNoReload fills the part of the ring for instances.
func TestFloodOfInstancesDisplacesNoReload(t *testing.T) {
	t.Parallel()
	e := Event{Event: serving(1)}
	r := newRing(10*e.size(), 10*e.size(), 10*e.size())
	r.Append(reload("start"))
	r.Append(held("web"))
	for n := range 1000 {
		r.Append(serving(n))
	}
	want := []uint64{1, 2}
	for n := range 10 {
		want = append(want, uint64(993+n))
	}
	same(t, "kept", want, kept(r))
	p := r.After(0, 1)
	same(t, "the latest lost one", uint64(992), p.Lost)
	if p.LostAt.IsZero() || p.LostAt.After(p.Events[0].Time.AddDate(0, 0, 1)) {
		t.Errorf("lost at %v", p.LostAt)
	}
}

func TestRingIsBoundedInBytes(t *testing.T) {
	t.Parallel()
	if size := int(reflect.TypeFor[Event]().Size()); size > eventBytes {
		t.Errorf("an event has %d bytes, not %d", size, eventBytes)
	}
	const limit = 100_000
	r := newRing(limit, limit, limit)
	long := reload("start")
	long.Detail = strings.Repeat("x", maxText)
	for n := range 1000 {
		r.Append(serving(n))
		r.Append(held(fmt.Sprint("web", n)))
		r.Append(long)
	}
	for i := range r.queues {
		q := &r.queues[i]
		size := 0
		for n := range q.n {
			size += q.at(n).size()
		}
		if size != q.size || size > limit || size < limit*9/10 || len(q.ring)*eventBytes > 2*limit {
			t.Errorf("queue %d has %d events of %d bytes, counted as %d, in %d places", i, q.n, size, q.size, len(q.ring))
		}
	}
}

func TestTextsAreShortPrintableLines(t *testing.T) {
	t.Parallel()
	for name, text := range map[string]string{
		"several lines":     "first\nsecond\r\n",
		"control sequences": "\x1b[2J\x00\u009b",
		"direction":         "\u202eabc",
		"not UTF-8":         "\xff\xfe",
		"long":              strings.Repeat("é", maxText),
	} {
		r := NewRing()
		r.Append(registry.Event{Kind: registry.EventReloadFailed, Proxy: text, Group: text, Reason: text, Detail: text})
		got := r.After(0, 1).Events[0]
		for _, part := range []string{got.Proxy, got.Group, got.Reason, got.Detail} {
			if len(part) > maxText || strings.ContainsFunc(part, func(r rune) bool { return !unicode.IsPrint(r) }) {
				t.Errorf("%s: %q", name, part)
			}
		}
		if again := clean(got.Event); again != got.Event {
			t.Errorf("%s: %v becomes %v", name, got.Event, again)
		}
	}
}

// TestManyWritersAndReaders has readers that follow while events displace each other: each
// reader gets what is kept, once and in order.
func TestManyWritersAndReaders(t *testing.T) {
	t.Parallel()
	const writers, events = 4, 2000
	r := newRing(50_000, 50_000, 50_000)
	var writing, reading sync.WaitGroup
	for range 4 {
		reading.Go(func() {
			var seq, lost uint64
			got := 0
			for seq < writers*events {
				<-r.Changed(seq)
				p := r.After(seq, 16)
				lost = max(lost, p.Lost)
				for _, e := range p.Events {
					if e.Seq <= seq {
						t.Errorf("event %d after %d", e.Seq, seq)
					}
					seq = e.Seq
					got++
				}
			}
			if got != writers*events && lost == 0 {
				t.Errorf("%d events, and none was reported as lost", got)
			}
		})
	}
	for w := range writers {
		writing.Go(func() {
			for n := range events {
				if n%2 == 0 {
					r.Append(serving(w*events + n))
				} else {
					r.Append(reload("slots"))
				}
			}
		})
	}
	writing.Wait()
	reading.Wait()
}

// BenchmarkAppend measures what a change costs who reports it, beside followers.
func BenchmarkAppend(b *testing.B) {
	for _, followers := range []int{0, 1, 64} {
		b.Run(fmt.Sprintf("followers=%d", followers), func(b *testing.B) {
			r := NewRing()
			done := make(chan struct{})
			var following sync.WaitGroup
			for range followers {
				following.Go(func() {
					var seq uint64
					for {
						select {
						case <-r.Changed(seq):
						case <-done:
							return
						}
						p := r.After(seq, 64)
						seq = p.Events[len(p.Events)-1].Seq
					}
				})
			}
			e := serving(1)
			b.ReportAllocs()
			for b.Loop() {
				r.Append(e)
			}
			close(done)
			following.Wait()
		})
	}
}
