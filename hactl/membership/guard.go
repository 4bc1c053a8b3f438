package membership

import (
	"cmp"
	"slices"
	"time"

	"github.com/haproxy-zk/haproxy-zk/registry"
)

const (
	// guardFrom is the smallest group whose loss is guarded against.
	guardFrom = 3
	// Departures within lossWindow count as simultaneous: a path is wiped child by
	// child, and sessions that were lost together expire one after another.
	lossWindow = 2 * time.Second
	// lossMemory is how late departures within the window may be seen.
	lossMemory = 30 * time.Second
	// holdFor is the maximum time for which instances are held.
	holdFor = 60 * time.Second
	// trustFor is how long the last known health of a departed instance is trusted.
	trustFor = 100 * time.Millisecond
	// The last instances of a group stay for this long: other groups may follow, seen
	// late by a busy machine, and a restarting process deletes its node and creates it
	// again. Meanwhile requests are served as before.
	emptyWait = 500 * time.Millisecond
	// An instance that was already out of service when the others left returns if a
	// health check finds it up within proveWithin.
	proveWithin = 10 * time.Second
)

// guard is the loss guard of one group. It decides which instances are held: kept in
// service although they have left ZooKeeper.
type guard struct {
	// share is the percentage of the group that is too much to lose at once; 0 means
	// all.
	share int
	// left has the instances that left within lossWindow of each other, came those that
	// are new.
	left, came []movement
	held       []holding
	// judged is true once it was decided whether the instances in left are to be held.
	// Until then relieved is true if a new instance has come that may replace them.
	judged, relieved bool
	// dropped has the instances that were held and released since then: one that
	// returns is not new.
	dropped []registry.Instance
	// waiting is true while the instances in held only wait to see whether other groups
	// are lost.
	waiting bool
	// since is when the first instance began to be held; zero while none is.
	since time.Time
	// proved counts the held instances found up since then, failed those that were not
	// in time.
	proved, failed int
	// version changes whenever held may have changed.
	version int
	// many is true if other groups were lost at the same time.
	many bool
	// replacements has the instances that are new since then or had not had a request:
	// once one of them takes requests, the hold ends.
	replacements []registry.Instance
}

// movement is an instance that left or came.
type movement struct {
	instance registry.Instance
	at       time.Time
	// well is true if the instance was up when it left.
	well bool
}

// holding is a held instance.
type holding struct {
	movement
	// out is true if the instance was out of service when it began to be held,
	// unverified if its health had not been checked for too long.
	out, unverified bool
	up              bool
}

// see applies a new list of registered instances, now, in place of before. served are
// the instances that were meant to be in service, including held ones, and up reports
// which of them are up. since is when the list may have changed, zero if unknown.
func (g *guard) see(before, served, now []registry.Instance, up func(registry.Instance) bool, since, at time.Time) {
	if since.IsZero() {
		since = at
	}
	g.left = slices.DeleteFunc(g.left, func(m movement) bool { return since.Sub(m.at) > lossWindow })
	g.judged = false
	g.version++
	back := func(i registry.Instance) bool { return has(now, i) }
	held := make(map[registry.Instance]bool, len(g.held))
	for _, h := range g.held {
		held[h.instance] = true
	}
	for _, i := range served {
		if !back(i) && !held[i] {
			g.left = append(g.left, movement{i, at, up(i)})
		}
	}
	gone := make(map[registry.Instance]bool, len(g.left)+len(g.dropped))
	for _, m := range g.left {
		gone[m.instance] = true
	}
	for _, i := range g.dropped {
		gone[i] = true
	}
	g.left = slices.DeleteFunc(g.left, func(m movement) bool { return back(m.instance) })
	g.held = slices.DeleteFunc(g.held, func(h holding) bool { return back(h.instance) })
	g.came = slices.DeleteFunc(g.came, func(m movement) bool { return !back(m.instance) })
	for _, i := range now {
		if !has(before, i) && !has(served, i) && !gone[i] {
			g.came = append(g.came, movement{instance: i, at: at})
			g.relieved = true
			if !g.since.IsZero() {
				g.replacements = append(g.replacements, i)
			}
		}
	}
}

// forget drops movements too old to be judged together with current ones.
func (g *guard) forget(at time.Time) {
	g.left = slices.DeleteFunc(g.left, func(m movement) bool { return at.Sub(m.at) > lossMemory })
	g.came = slices.DeleteFunc(g.came, func(m movement) bool { return at.Sub(m.at) > lossWindow })
}

// losing reports whether instances left just now or are still to be judged.
func (g *guard) losing(at time.Time) bool {
	return slices.ContainsFunc(g.left, func(m movement) bool { return !g.judged || at.Sub(m.at) <= lossWindow })
}

// quiet reports whether nothing has left or come recently, and nothing is held.
func (g *guard) quiet() bool {
	return g.judged && g.since.IsZero() && len(g.left)+len(g.came)+len(g.held) == 0
}

// settled reports whether nothing is to be decided.
func (g *guard) settled(at time.Time) bool { return g.judged && !g.waiting && !g.losing(at) }

// lost returns how many instances have left and not been released.
func (g *guard) lost() int { return len(g.left) + len(g.held) }

// excessive reports whether too many instances have left, given how many are registered
// now and how many of these take requests. many is true if the proxy loses many groups.
func (g *guard) excessive(registered, servingGroup int, many bool, at time.Time) bool {
	all := g.lost() + registered
	switch {
	case !g.losing(at) && !g.waiting:
		return false
	case registered == 0 && many:
		return true
	case servingGroup > 0 && len(g.came) > 0:
		return false // the new instances replace the departed ones
	case registered > 0 && servingGroup == 0 && g.lost() > 1 && all >= guardFrom:
		return true
	}
	return g.exceeds(g.lost(), registered)
}

// exceeds reports whether the lost instances are more than the group's share of lost
// and registered ones.
func (g *guard) exceeds(lost, registered int) bool {
	all := lost + registered
	return all >= guardFrom && lost*100 >= cmp.Or(g.share, 100)*all
}

// judge ends the judgment that see began.
func (g *guard) judge(servingGroup int) {
	if g.relieved && servingGroup > 0 {
		g.left = nil
	}
	g.judged, g.relieved = true, false
}

// hold begins to hold the departed instances. Those that have been out of service for
// some time must pass a health check first.
func (g *guard) hold(inService func(registry.Instance) bool, many bool, at time.Time) {
	g.version++
	g.many = g.many || many
	if g.since.IsZero() || g.waiting {
		g.since, g.waiting, g.replacements = at, false, nil
	}
	for _, m := range g.left {
		out := !inService(m.instance)
		unverified := out && (!m.well || at.Sub(m.at) > trustFor)
		g.held = append(g.held, holding{movement: movement{instance: m.instance, at: at}, out: out, unverified: unverified})
	}
	g.left = nil
}

// noteReplacements records which registered instances may replace those that begin to
// be held: instances that came just now or have had no request yet.
func (g *guard) noteReplacements(registered []registry.Instance, untested func(registry.Instance) bool) {
	came, known := make(map[registry.Instance]bool, len(g.came)), make(map[registry.Instance]bool, len(g.replacements))
	for _, m := range g.came {
		came[m.instance] = true
	}
	for _, i := range g.replacements {
		known[i] = true
	}
	for _, i := range registered {
		if (came[i] || untested(i)) && !known[i] {
			g.replacements = append(g.replacements, i)
		}
	}
}

// wait keeps the last instances of the group for emptyWait.
func (g *guard) wait(inService func(registry.Instance) bool, at time.Time) {
	if !g.since.IsZero() || !slices.ContainsFunc(g.left, func(m movement) bool { return inService(m.instance) }) {
		return
	}
	g.version++
	g.since, g.waiting = at, true
	g.left = slices.DeleteFunc(g.left, func(m movement) bool {
		if !inService(m.instance) {
			return false
		}
		g.held = append(g.held, holding{movement: m})
		return true
	})
}

// holding returns the held instances, none while they only wait.
func (g *guard) holding() []holding {
	if g.waiting {
		return nil
	}
	return g.held
}

// review releases held instances that are down or registered elsewhere, and all of them
// when the hold is over: then it returns why. replaces reports which new instances take
// requests.
func (g *guard) review(replaces, up, elsewhere func(registry.Instance) bool, at time.Time) (over string) {
	if g.since.IsZero() {
		return ""
	}
	if len(g.held) == 0 && !g.waiting {
		return g.releaseAll("all held instances registered again")
	}
	for i := range g.held {
		if h := &g.held[i]; !h.up && up(h.instance) {
			h.up = true
			g.proved++
		}
	}
	held := len(g.held)
	g.held = slices.DeleteFunc(g.held, func(h holding) bool {
		switch {
		case elsewhere(h.instance):
			return true
		case up(h.instance), h.unverified && !h.up && at.Sub(h.at) < proveWithin, h.out && at.Equal(h.at):
			return false
		case h.unverified && !h.up:
			g.failed++
		}
		g.dropped = append(g.dropped, h.instance)
		return true
	})
	if len(g.held) < held {
		g.version++
	}
	switch {
	case g.waiting && (len(g.held) == 0 || len(g.came) > 0 || at.Sub(g.since) >= emptyWait):
		left := g.left // judged together with later departures
		for _, h := range g.held {
			left = append(left, h.movement)
		}
		if g.releaseAll(""); len(g.came) == 0 {
			g.left = left
		}
		return ""
	case g.waiting:
		return ""
	case len(g.held) == 0:
		return g.releaseAll("no held instance is healthy any more")
	case slices.ContainsFunc(g.replacements, replaces):
		return g.releaseAll("a new instance has registered")
	case at.Sub(g.since) >= holdFor:
		return g.releaseAll("hold timeout reached")
	case !g.many && g.failed > 0 && g.proved < guardFrom && !slices.ContainsFunc(g.held, func(h holding) bool { return !h.up }):
		// They were stopped one by one: the first ones stopped before the last one
		// left.
		return g.releaseAll("earlier departures have stopped")
	}
	return ""
}

// releaseAll releases all held instances, and returns why.
func (g *guard) releaseAll(why string) string {
	*g = guard{share: g.share, came: g.came, judged: true, version: g.version + 1}
	return why
}

// next returns when review is due at the latest, whatever the health of the held
// instances; zero means never.
func (g *guard) next() time.Time {
	switch {
	case g.since.IsZero():
		return time.Time{}
	case g.waiting:
		return g.since.Add(emptyWait)
	}
	return g.since.Add(holdFor)
}

// clone returns a deep copy.
func (g *guard) clone() guard {
	c := *g
	c.left, c.came, c.held, c.dropped, c.replacements = slices.Clone(g.left), slices.Clone(g.came), slices.Clone(g.held), slices.Clone(g.dropped), slices.Clone(g.replacements)
	return c
}

// has reports whether a sorted list has an instance. Lists are searched rather than made
// into sets: most changes are about one instance.
func has(sorted []registry.Instance, i registry.Instance) bool {
	_, found := slices.BinarySearchFunc(sorted, i, func(a, b registry.Instance) int { return a.Addr.Compare(b.Addr) })
	return found
}
