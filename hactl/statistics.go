package hactl

import (
	"context"
	"fmt"

	"github.com/haproxy-zk/haproxy-zk/haproxy"
)

// fewSlots is the divisor for individual queries: at most one in this many slots is
// queried by itself. The statistics of a whole backend with a thousand servers block
// the worker for milliseconds, while those of one server repeat the header.
const fewSlots = 4

// server is the server at a slot of a group.
type server struct {
	group *group
	slot  int
}

// statistics returns the statistics of the servers at some slots, and maybe of others.
func (w *worker) statistics(ctx context.Context, of map[*group][]int) (map[server]haproxy.Stats, error) {
	var requests []string
	for g, at := range of {
		if w.have[g] == nil {
			continue // HAProxy answers with no table
		}
		if g.dynamic() || len(at) > max(1, len(g.table.Slots)/fewSlots) {
			requests = append(requests, "show stat "+g.backend.Name+" 4 -1")
			continue
		}
		for _, i := range at {
			// A server's id is its index in the backend, starting at 1.
			requests = append(requests, fmt.Sprintf("show stat %s 4 %d", g.backend.Name, i+1))
		}
	}
	all := make(map[server]haproxy.Stats, len(requests))
	lines := haproxy.NewStatsLines(func(s haproxy.Stats) {
		if g := w.byName[s.Proxy]; g != nil {
			if slot, found := g.carrier.Find(g.table, []byte(s.Server)); found {
				all[server{g, slot}] = s
			}
		}
	})
	ctx, stop := w.whileAlive(ctx)
	defer stop()
	if _, err := w.client.AskLines(ctx, w.pid, lines.Take, requests...); err != nil {
		return nil, err
	}
	for g, at := range of {
		for _, i := range at {
			if _, found := all[server{g, i}]; !found && !g.dynamic() {
				return nil, fmt.Errorf("process %d reports no sessions of %s; remove the id parameter from the server options", w.pid, g.server(i))
			}
		}
	}
	return all, nil
}
