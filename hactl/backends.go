package hactl

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/haproxy-zk/haproxy-zk/hactl/slots"
	"github.com/haproxy-zk/haproxy-zk/haproxy"
)

// backends is what a worker has of the groups whose backends come and go at run time. Those
// of which it has servers, even none, are in [worker.have].
type backends struct {
	// published are the groups that rules and the map may select.
	published map[*group]bool
	// refusedBackends has the replies of HAProxy that refused to add a backend, by group.
	refusedBackends map[*group]string
	// added and deleted count the backends since the last report.
	added, deleted int
	// lost are the groups whose backends somebody else has changed or deleted.
	lost []*group
	// foreignBackend is the name of a backend that somebody else has added; empty if there is none.
	foreignBackend string
}

// live reports whether the group's backend is added and deleted at run time.
func (c *carriage) live() bool { return c.carrier.Way() == haproxy.CarryBackends }

// wanted reports whether workers are to have the backend of a live group. Before its
// instances were read, it would answer requests with 503 that now go elsewhere.
func (g *group) wanted() bool { return g.live() && !g.leftOut() && g.members.Read() }

// convergeOnce makes the worker's backends and servers match the groups: requests reach a
// backend only while it has its servers.
func (w *worker) convergeOnce(ctx context.Context, groups []*group) (commands int, err error) {
	if err := w.withdrawBackends(ctx, groups); err != nil {
		return 0, err
	}
	if err := w.addBackends(ctx, groups); err != nil {
		return 0, err
	}
	if off, on := w.differences(groups); len(off)+len(on) > 0 {
		if commands, err = w.carryOut(ctx, slots.Sequence(off, on)); err != nil {
			return commands, err
		}
	}
	return commands, w.publishBackends(ctx, groups)
}

// addBackends adds the backends that the worker lacks. It has found some of them after it
// was adopted, or after a reply was lost: their servers are read.
func (w *worker) addBackends(ctx context.Context, groups []*group) error {
	var missing []*group
	var requests []string
	for _, g := range groups {
		if g.wanted() && w.have[g] == nil && w.refusedBackends[g] == "" {
			missing, requests = append(missing, g), append(requests, haproxy.AddBackend(g.backend.Name, g.kind))
		}
	}
	if len(missing) == 0 {
		return nil
	}
	replies, err := w.ask(ctx, requests...)
	if err != nil {
		return err
	}
	var existed []*group
	for i, g := range missing {
		switch haproxy.ParseAddition(g.backend.Name, replies[i]) {
		case haproxy.Existed:
			existed = append(existed, g)
			w.admit(g)
		case haproxy.Added:
			w.admit(g)
			w.added++
		case haproxy.Refused:
			w.refusedBackends[g] = fmt.Sprintf("%.200q", replies[i])
		}
	}
	if len(existed) == 0 {
		return nil
	}
	return w.learn(ctx, existed)
}

// learn reads the servers of groups, without taking differences for drift or for an
// operator's change.
func (w *worker) learn(ctx context.Context, groups []*group) error {
	all, _, err := w.differing(ctx, groups...)
	if err != nil {
		for _, g := range groups {
			w.lose(g) // to be read again
		}
		return err
	}
	for _, d := range all {
		w.put(d.group, d.slot, d.server)
	}
	return nil
}

// admit records that the worker has the backend of a group, with no known servers.
func (w *worker) admit(g *group) {
	w.have[g], w.agents[g], w.byName[g.backend.Name] = []haproxy.Server{}, g.agent, g
	delete(w.equal, g)
}

// lose records that the worker does not have the backend of a group.
func (w *worker) lose(g *group) {
	delete(w.have, g)
	delete(w.agents, g)
	delete(w.equal, g)
	delete(w.published, g)
	if w.byName[g.backend.Name] == g {
		delete(w.byName, g.backend.Name)
	}
}

// mapOf returns the index of the map that finds a group; -1 if there is none.
func (w *worker) mapOf(g *group) int {
	return slices.IndexFunc(w.maps, func(m haproxy.Map) bool { return m.Route == g.backend.Route })
}

// publishBackends lets requests reach the groups whose servers the worker has now.
func (w *worker) publishBackends(ctx context.Context, groups []*group) error {
	var due []*group
	var requests []string
	for _, g := range groups {
		if !g.wanted() || w.published[g] || w.have[g] == nil {
			continue
		}
		if at := w.mapOf(g); at >= 0 {
			due = append(due, g)
			requests = append(requests, haproxy.PublishBackend(g.backend.Name), w.maps[at].Set(g.backend))
		}
	}
	if len(due) == 0 {
		return nil
	}
	replies, err := w.ask(ctx, requests...)
	if err != nil {
		return err
	}
	var problems []error
	var routed, unrouted []*group
	for i, g := range due {
		m, published, set := w.maps[w.mapOf(g)], replies[2*i], replies[2*i+1]
		switch err := haproxy.ConfirmPublished(requests[2*i], published); {
		case haproxy.LacksBackend(published):
			w.lose(g)
			problems = append(problems, err)
		case err != nil:
			problems = append(problems, err)
		case m.Lacks(set):
			unrouted = append(unrouted, g)
		case set != "":
			problems = append(problems, fmt.Errorf("%q: HAProxy answered %.200q", requests[2*i+1], set))
		default:
			routed = append(routed, g)
		}
	}
	w.route(routed)
	return errors.Join(append(problems, w.addRoutes(ctx, unrouted))...)
}

// addRoutes adds the keys of groups to maps that lack them.
func (w *worker) addRoutes(ctx context.Context, groups []*group) error {
	if len(groups) == 0 {
		return nil
	}
	requests := make([]string, len(groups))
	for i, g := range groups {
		requests[i] = w.maps[w.mapOf(g)].Add(g.backend)
	}
	replies, err := w.ask(ctx, requests...)
	if err != nil {
		return err
	}
	var problems []error
	var routed []*group
	for i, g := range groups {
		if replies[i] != "" {
			problems = append(problems, fmt.Errorf("%q: HAProxy answered %.200q", requests[i], replies[i]))
			continue
		}
		routed = append(routed, g)
	}
	w.route(routed)
	return errors.Join(problems...)
}

// route records that requests reach groups.
func (w *worker) route(groups []*group) {
	for _, g := range groups {
		w.published[g] = true
	}
	w.changeMaps(groups, haproxy.Map.With)
}

// changeMaps changes the maps that find groups.
func (w *worker) changeMaps(groups []*group, change func(haproxy.Map, []haproxy.Backend) haproxy.Map) {
	of := make(map[int][]haproxy.Backend)
	for _, g := range groups {
		at := w.mapOf(g)
		of[at] = append(of[at], g.backend)
	}
	w.maps = slices.Clone(w.maps) // other workers have the same
	for at, backends := range of {
		w.maps[at] = change(w.maps[at], backends)
	}
}

// withdrawBackends keeps requests from the groups that are left out now.
func (w *worker) withdrawBackends(ctx context.Context, groups []*group) error {
	var due []*group
	var requests []string
	for _, g := range groups {
		if !g.live() || !g.leftOut() || !w.published[g] {
			continue
		}
		if at := w.mapOf(g); at >= 0 {
			due = append(due, g)
			requests = append(requests, w.maps[at].Delete(g.backend), haproxy.UnpublishBackend(g.backend.Name))
		}
	}
	if len(due) == 0 {
		return nil
	}
	replies, err := w.ask(ctx, requests...)
	if err != nil {
		return err
	}
	var problems []error
	var withdrawn []*group
	for i, g := range due {
		at, deleted, unpublished := w.mapOf(g), replies[2*i], replies[2*i+1]
		if deleted != "" && !w.maps[at].Lacks(deleted) {
			problems = append(problems, fmt.Errorf("%q: HAProxy answered %.200q", requests[2*i], deleted))
			continue
		}
		if err := haproxy.ConfirmPublished(requests[2*i+1], unpublished); err != nil && !haproxy.LacksBackend(unpublished) {
			problems = append(problems, err)
			continue
		}
		delete(w.published, g)
		withdrawn = append(withdrawn, g)
	}
	w.changeMaps(withdrawn, haproxy.Map.Without)
	return errors.Join(problems...)
}

// deleteBackends tries to delete the backends of groups, which have no servers any more, until
// the time for that is over, and returns the others.
func (w *worker) deleteBackends(ctx context.Context, groups []*group) (rest []*group, err error) {
	begun := time.Now()
	if w.stale {
		return nil, nil // it is read first
	}
	rest = slices.DeleteFunc(slices.Clone(groups), func(g *group) bool { return w.have[g] == nil || w.published[g] })
	for len(rest) > 0 && time.Since(begun) < deletionsWithin {
		some := rest[:min(len(rest), deletionsAtOnce)]
		rest = rest[len(some):]
		var requests []string
		for _, g := range some {
			requests = append(requests, haproxy.DeleteBackend(g.backend.Name)...)
		}
		replies, err := w.ask(ctx, requests...)
		if err != nil {
			w.stale = true
			return nil, err
		}
		each := len(replies) / len(some)
		for i, g := range some {
			w.recordBackendDeletion(g, replies[each*i:each*(i+1)])
		}
	}
	return rest, nil
}

// recordBackendDeletion records the replies to an attempt to delete the backend of a group.
func (w *worker) recordBackendDeletion(g *group, replies []string) {
	switch outcome, refused := haproxy.ParseBackendDeletion(replies); {
	case refused != nil:
		w.refusedBackends[g] = fmt.Sprintf("%.200q", refused)
	case outcome == haproxy.Deleted:
		w.lose(g)
		w.deleted++
	case outcome == haproxy.InService:
		w.published[g] = true // by somebody else
	}
}
