package intake

import (
	"fmt"
	"log/slog"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/haproxy-zk/haproxy-zk/registry"
)

// children makes a summary of children without data, and of one that waits.
func children(waiting string, names ...string) *Summary {
	var s Summary
	for _, name := range names {
		s.Add(name, registry.Finding{Kind: registry.Payload, Problem: "no data"})
	}
	if waiting != "" {
		s.Add(waiting, registry.Finding{Kind: registry.Waiting, Problem: "STARTING"})
	}
	return &s
}

func numbered(from, to int) (names []string) {
	for i := from; i < to; i++ {
		names = append(names, fmt.Sprintf("n%05d", i))
	}
	return names
}

// Each child is reported once with its reason, many together, and the same ones not again.
func TestEachSkippedChildIsReportedOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var got []string
		n := NewNote("web", "/web", slog.New(slog.DiscardHandler), func(f registry.Finding, _ int) {
			got = append(got, fmt.Sprintf("%s %d %s", f.Kind, f.Count, f.Example))
		})
		says := func(what string, found *Summary, want ...string) {
			t.Helper()
			got = nil
			n.SetChildren(0, 1, nil, found)
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("%s: -want +got\n%s", what, diff)
			}
		}
		pass := func(d time.Duration) { <-time.After(d) } // the bubble's clock
		says("two, and one that waits", children("w", "a", "b"), "payload 1 a", "payload 1 b", "waiting 1 w")
		says("the same", children("w", "a", "b"))
		says("another", children("", "a", "b", "c"), "payload 1 c")
		says("none", children(""))
		says("one is back", children("", "a"))
		pass(time.Hour)
		says("an hour later", children("", "a"))
		says("one that has left before then", children("w", "a", "b"), "payload 1 b", "waiting 1 w")

		pass(time.Hour)
		flood := []string{"payload 10000 n00000"}
		for _, name := range numbered(0, 10) {
			flood = append([]string{}, append(flood, "payload 1 "+name)...)
		}
		says("a flood", children("", numbered(0, 10_000)...), append(flood[1:], flood[0])...)
		says("it grows", children("", numbered(0, 20_000)...))
		says("one that waits beside it", children("w", numbered(0, 20_000)...), "waiting 1 w")
		pass(time.Hour)
		says("it lasts", children("", numbered(0, 20_000)...))
		says("others", children("", numbered(20_000, 40_000)...))
		says("it is over", children(""))
		lines := 0
		for i := range 600 { // a child with another name each second, ten minutes long
			pass(time.Second)
			got = nil
			n.SetChildren(0, 1, nil, children("", fmt.Sprint("x", i)))
			lines += len(got)
		}
		if lines > 2*maxNamed+2 {
			t.Errorf("%d lines in ten minutes", lines)
		}
		if held := len(n.naming.named); held > 3*maxNamed {
			t.Errorf("%d children are remembered", held)
		}
		if r := n.Get(); r.Unnamed != 0 {
			t.Errorf("%+v", r)
		}
		n.SetChildren(0, 1, nil, children("", numbered(0, 1000)...))
		if r := n.Get(); r.Unnamed != 1000-maxSkipped || len(r.Skipped) != maxSkipped {
			t.Errorf("%d named, %d not", len(r.Skipped), r.Unnamed)
		}
	})
}
