package syncer

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
		log := new(countingLog)
		n := &note{group: "web", log: slog.New(log)}
		names := registry.Finding{Kind: registry.HostName, Count: 1, Example: "a:1", Problem: "a host name"}
		more := names
		more.Count, more.Example = 9, "b:1"
		uuid := registry.Finding{Kind: registry.UUID, Count: 1, Problem: "a UUID"}
		for i, step := range []struct {
			pause time.Duration
			found []registry.Finding
			lines int64
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
			before := log.lines.Load()
			n.set(fromNames, step.found...)
			if got := log.lines.Load() - before; got != step.lines {
				t.Errorf("step %d: %d lines, want %d", i, got, step.lines)
			}
		}
		n.set(fromOwners, registry.Finding{Kind: registry.Persistent, Count: 1})
		n.setNames(3, []registry.Finding{uuid})
		want := registry.Registrations{Group: "web", Usable: 3, Findings: []registry.Finding{uuid, {Kind: registry.Persistent, Count: 1}}}
		if diff := cmp.Diff(want, n.get()); diff != "" {
			t.Error(diff)
		}
	})
}

func TestNotesListFollowedGroups(t *testing.T) {
	var ns notes
	log := slog.New(slog.DiscardHandler)
	web, api, later := &note{group: "web", log: log}, &note{group: "api", log: log}, &note{group: "web", usable: 1, log: log}
	ns.add(web)
	ns.add(api)
	ns.add(later)
	ns.remove(web) // another one has its place
	want := []registry.Registrations{{Group: "api"}, {Group: "web", Usable: 1}}
	if diff := cmp.Diff(want, ns.each()); diff != "" {
		t.Error(diff)
	}
	ns.remove(later)
	if got := ns.each(); len(got) != 1 {
		t.Error(got)
	}
}
