package intake

import (
	"log/slog"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/haproxy-zk/haproxy-zk/registry"
)

func TestNoteLogsEachKindOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var lines int
		n := NewNote("web", "/web", slog.New(slog.DiscardHandler), func(registry.Finding, int) { lines++ })
		names := registry.Finding{Kind: registry.HostName, Count: 1, Example: "a:1", Problem: "a host name"}
		more := names
		more.Count, more.Example = 9, "b:1"
		uuid := registry.Finding{Kind: registry.UUID, Count: 1, Problem: "a UUID"}
		for i, step := range []struct {
			pause time.Duration
			found []registry.Finding
			lines int
		}{
			{0, []registry.Finding{names}, 1},
			{0, []registry.Finding{more}, 0},
			{0, []registry.Finding{uuid, more}, 1},
			{0, nil, 0},
			{logAgain - time.Second, []registry.Finding{names}, 0},
			{time.Hour, []registry.Finding{names}, 0}, // it never went
			{0, nil, 0},
			{0, []registry.Finding{names}, 1},
		} {
			<-time.After(step.pause) // the bubble's clock
			before := lines
			n.Set(0, step.found...)
			if got := lines - before; got != step.lines {
				t.Errorf("step %d: %d lines, want %d", i, got, step.lines)
			}
		}
		n.Set(3, registry.Finding{Kind: registry.Persistent, Count: 1})
		var s Summary
		s.Add("x", registry.Finding{Kind: uuid.Kind, Problem: uuid.Problem})
		n.SetChildren(0, 3, nil, &s)
		uuid.Example = "x"
		want := registry.Registrations{
			Group: "web", Usable: 3, Findings: []registry.Finding{uuid, {Kind: registry.Persistent, Count: 1}},
			Skipped: []registry.Skipped{{Name: "x", Kind: registry.UUID, Problem: "a UUID"}},
		}
		if diff := cmp.Diff(want, n.Get()); diff != "" {
			t.Error(diff)
		}
	})
}

func TestNotesListFollowedGroups(t *testing.T) {
	var ns Notes
	note := func(group string) *Note {
		return NewNote(group, "/"+group, slog.New(slog.DiscardHandler), func(registry.Finding, int) {})
	}
	web, api, later := note("web"), note("api"), note("web")
	later.SetChildren(0, 1, nil, new(Summary))
	ns.Add(web)
	ns.Add(api)
	ns.Add(later)
	ns.Remove(web) // another one has its place
	want := []registry.Registrations{{Group: "api"}, {Group: "web", Usable: 1}}
	if diff := cmp.Diff(want, ns.All()); diff != "" {
		t.Error(diff)
	}
	api.Set(1, registry.Finding{Kind: registry.Misplaced, Count: 1})
	if got := ns.Remarkable(); len(got) != 1 || got[0].Group != "api" {
		t.Error(got)
	}
	ns.Remove(later)
	if got := ns.All(); len(got) != 1 {
		t.Error(got)
	}
}
