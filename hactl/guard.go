package hactl

import (
	"net/netip"
	"slices"
	"time"

	"github.com/haproxy-zk/haproxy-zk/registry"
)

const (
	// guardFrom is how many instances a group must have had for its loss to be
	// guarded against.
	guardFrom = 3
	// What leaves within lossWindow leaves at once: a path is wiped child by child,
	// and sessions that were lost together expire one after another.
	lossWindow = 2 * time.Second
	// lossMemory is how late the news may be that others left within it.
	lossMemory = 30 * time.Second
	// holdFor is how long instances are held at most.
	holdFor = 60 * time.Second
	// trustFor is how long one that left is believed to be as well as it was.
	trustFor = 100 * time.Millisecond
	// The last of a group stay so much longer where there are other groups, in case
	// those follow, seen late by a busy machine: that takes no request from anybody.
	emptyWait = 500 * time.Millisecond
	// holdEvery is how often the health of those that are held is asked for.
	holdEvery = time.Second
	// One that was out of service already when the others left comes back if a
	// health check finds it up within proveWithin.
	proveWithin = 10 * time.Second
)

// guard is the loss guard of one group. It decides who is held: kept in service
// although ZooKeeper says that it left. It does nothing and asks nobody; what
// it has to know is handed in, the time as well.
type guard struct {
	// share is how many percent of the group are too many to lose at once; 0 is all.
	share int
	// left are those that went, within lossWindow of each other, came those that were
	// new.
	left, came []movement
	held       []holding
	// judged is true once it was decided what those who left mean, relieved is true
	// until then if somebody new has come, who may take their place.
	judged, relieved bool
	// dropped are those who were held and let go since then: who of them comes back
	// is nobody new.
	dropped []registry.Instance
	// waiting is true while those of held only wait for what other groups do.
	waiting bool
	// since is when the first of held began to be; zero while nobody is held.
	since time.Time
	// proved counts who was found up since then, failed who was not in time.
	proved, failed int
	// many is true when other groups were lost at the same time.
	many bool
	// heirs are those who are new since then or had not had a request: once one of them
	// takes some it is over.
	heirs []registry.Instance
}

type movement struct {
	instance registry.Instance
	at       time.Time
	// well is true for one that was up when it left.
	well bool
}

// holding is one instance that is held.
type holding struct {
	movement
	// out is true for one that was out of service when it began to be held, doubted
	// if nobody has checked its health for too long.
	out, doubted bool
	up           bool
}

// see takes in a new list of what is registered, after before; served are those
// in service until now, with those that are held, up tells which of them are well.
// The list may be so since some time already, which is zero where nothing is known.
func (g *guard) see(before, served, now []registry.Instance, up func(registry.Instance) bool, since, at time.Time) {
	if since.IsZero() {
		since = at
	}
	g.left = slices.DeleteFunc(g.left, func(m movement) bool { return since.Sub(m.at) > lossWindow })
	g.judged = false
	registered, known := setOf(now), setOf(before)
	for _, i := range served {
		known[i.Addr] = true
		if !registered[i.Addr] && !g.holds(i) {
			g.left = append(g.left, movement{i, at, up(i)})
		}
	}
	for _, m := range g.left {
		known[m.instance.Addr] = true
	}
	for _, i := range g.dropped {
		known[i.Addr] = true
	}
	back := func(i registry.Instance) bool { return registered[i.Addr] }
	g.left = slices.DeleteFunc(g.left, func(m movement) bool { return back(m.instance) })
	g.held = slices.DeleteFunc(g.held, func(h holding) bool { return back(h.instance) })
	g.came = slices.DeleteFunc(g.came, func(m movement) bool { return !back(m.instance) })
	for _, i := range now {
		if !known[i.Addr] {
			g.came = append(g.came, movement{instance: i, at: at})
			g.relieved = true
			if !g.since.IsZero() {
				g.heirs = append(g.heirs, i)
			}
		}
	}
}

// forget drops what moved too long ago to be taken together with what moves now.
func (g *guard) forget(at time.Time) {
	g.left = slices.DeleteFunc(g.left, func(m movement) bool { return at.Sub(m.at) > lossMemory })
	g.came = slices.DeleteFunc(g.came, func(m movement) bool { return at.Sub(m.at) > lossWindow })
}

// losing tells whether somebody left just now, or it is still to be judged.
func (g *guard) losing(at time.Time) bool {
	return slices.ContainsFunc(g.left, func(m movement) bool { return !g.judged || at.Sub(m.at) <= lossWindow })
}

// settled tells that nothing is to be decided.
func (g *guard) settled(at time.Time) bool { return g.judged && !g.waiting && !g.losing(at) }

func (g *guard) holds(i registry.Instance) bool {
	return slices.ContainsFunc(g.held, func(h holding) bool { return h.instance == i })
}

// lost is how many have left and not been let go.
func (g *guard) lost() int { return len(g.left) + len(g.held) }

// excessive tells whether what left is too much to be believed, of a group that
// has so many registered now, of whom so many take requests; many is true when the
// proxy loses so many groups.
func (g *guard) excessive(registered, serving int, many bool, at time.Time) bool {
	all := g.lost() + registered
	switch {
	case !g.losing(at) && !g.waiting:
		return false
	case registered == 0 && many:
		return true
	case serving > 0 && len(g.came) > 0:
		return false // the new ones take the place of those that left
	case registered > 0 && serving == 0 && g.lost() > 1 && all >= guardFrom:
		return true
	}
	share := g.share
	if share == 0 {
		share = 100
	}
	return all >= guardFrom && g.lost()*100 >= share*all
}

// judge ends what see began, when it is decided whether it is too much.
func (g *guard) judge(serving int) {
	if g.relieved && serving > 0 {
		g.left = nil
	}
	g.judged, g.relieved = true, false
}

// hold begins to hold who left. One that has been out of service for some time is
// to prove itself first.
func (g *guard) hold(inService func(registry.Instance) bool, many bool, at time.Time) {
	g.many = g.many || many
	if g.since.IsZero() || g.waiting {
		g.since, g.waiting, g.heirs = at, false, nil
	}
	for _, m := range g.left {
		out := !inService(m.instance)
		doubted := out && (!m.well || at.Sub(m.at) > trustFor)
		g.held = append(g.held, holding{movement: movement{instance: m.instance, at: at}, out: out, doubted: doubted})
	}
	g.left = nil
}

// inherit notes who of those that are registered may take the place of those that
// begin to be held: who came just now, or was not tried yet.
func (g *guard) inherit(registered []registry.Instance, untried func(registry.Instance) bool) {
	for _, i := range registered {
		came := slices.ContainsFunc(g.came, func(m movement) bool { return m.instance == i })
		if (came || untried(i)) && !slices.Contains(g.heirs, i) {
			g.heirs = append(g.heirs, i)
		}
	}
}

// wait keeps the last of the group for a moment.
func (g *guard) wait(inService func(registry.Instance) bool, at time.Time) {
	if !g.since.IsZero() || !slices.ContainsFunc(g.left, func(m movement) bool { return inService(m.instance) }) {
		return
	}
	g.since, g.waiting = at, true
	g.left = slices.DeleteFunc(g.left, func(m movement) bool {
		if !inService(m.instance) {
			return false
		}
		g.held = append(g.held, holding{movement: m})
		return true
	})
}

// holding are those that are held, none while they only wait.
func (g *guard) holding() []holding {
	if g.waiting {
		return nil
	}
	return g.held
}

// review lets go who was found down, or is registered elsewhere, and everybody
// when it is over: then it returns why. heir tells who of the new ones takes requests.
func (g *guard) review(heir, up, elsewhere func(registry.Instance) bool, at time.Time) (over string) {
	if g.since.IsZero() {
		return ""
	}
	if len(g.held) == 0 && !g.waiting {
		return g.release("all have come back")
	}
	for i := range g.held {
		if h := &g.held[i]; !h.up && up(h.instance) {
			h.up = true
			g.proved++
		}
	}
	g.held = slices.DeleteFunc(g.held, func(h holding) bool {
		switch {
		case elsewhere(h.instance):
			return true
		case up(h.instance), h.doubted && !h.up && at.Sub(h.at) < proveWithin, h.out && at.Equal(h.at):
			return false
		case h.doubted && !h.up:
			g.failed++
		}
		g.dropped = append(g.dropped, h.instance)
		return true
	})
	switch {
	case g.waiting && (len(g.held) == 0 || len(g.came) > 0 || at.Sub(g.since) >= emptyWait):
		left := g.left // for what may follow yet
		for _, h := range g.held {
			left = append(left, h.movement)
		}
		if g.release(""); len(g.came) == 0 {
			g.left = left
		}
		return ""
	case g.waiting:
		return ""
	case len(g.held) == 0:
		return g.release("nobody is left who is up")
	case slices.ContainsFunc(g.heirs, heir):
		return g.release("a new instance has registered")
	case at.Sub(g.since) >= holdFor:
		return g.release("the time is over")
	case !g.many && g.failed > 0 && g.proved < guardFrom && !slices.ContainsFunc(g.held, func(h holding) bool { return !h.up }):
		// They were stopped in turn: the first of them before the last left.
		return g.release("those that left before have stopped")
	}
	return ""
}

// release lets everybody go and returns why. Who is registered is not concerned.
func (g *guard) release(why string) string {
	*g = guard{share: g.share, came: g.came, judged: true}
	return why
}

// clone is the same, and shares nothing that changes.
func (g *guard) clone() guard {
	c := *g
	c.left, c.came, c.held, c.dropped, c.heirs = slices.Clone(g.left), slices.Clone(g.came), slices.Clone(g.held), slices.Clone(g.dropped), slices.Clone(g.heirs)
	return c
}

// countLost counts the groups that had instances, and those of them that lose
// all of theirs at once.
func countLost(groups []*group, at time.Time) (lost, all int) {
	for _, g := range groups {
		switch {
		case g.aside:
		case len(g.seen.Instances) > 0:
			all++
		case g.guard.losing(at), len(g.guard.held) > 0 && at.Sub(g.guard.since) <= lossWindow:
			all++
			lost++
		case len(g.guard.held) > 0:
			all++
		}
	}
	return lost, all
}

// many tells whether so many of so many groups are too many. One alone is judged
// by its size.
func many(lost, all int) bool { return lost > 1 && 2*lost > all }

func setOf(instances []registry.Instance) map[netip.AddrPort]bool {
	set := make(map[netip.AddrPort]bool, len(instances))
	for _, i := range instances {
		set[i.Addr] = true
	}
	return set
}
