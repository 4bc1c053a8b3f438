package membership

import (
	"time"

	"github.com/haproxy-zk/haproxy-zk/registry"
)

// Facts is what is known about a group and its instances in HAProxy.
type Facts interface {
	// Guarded reports whether the loss guard applies: HAProxy serves the group and
	// health-checks its servers.
	Guarded() bool
	// InService reports whether an instance occupies a server.
	InService(registry.Instance) bool
	// Up reports whether an instance is in service and was up when its health was last
	// read.
	Up(registry.Instance) bool
	// Traffic returns whether an instance takes requests, independent of decisions made
	// here.
	Traffic(registry.Instance) Traffic
	// Untested reports whether an instance has had no request yet because it waits for
	// a server or for its first health check.
	Untested(registry.Instance) bool
	// Elsewhere reports whether an instance is registered in another group too.
	Elsewhere(registry.Instance) bool
	// FreeServers returns how many instances without a server would get one without a
	// reload.
	FreeServers() int
}

// Traffic is whether an instance takes requests.
type Traffic int

const (
	// Idle is an instance that takes none: it is down, was taken out by an operator, or
	// waits for a reload or for its first health check.
	Idle Traffic = iota
	// Serving is an instance in service that takes requests.
	Serving
	// Returning is an instance that is not in service, but would take requests at once
	// in its previous server.
	Returning
	// Entering is an instance without a server that would take requests at once if
	// there are [Facts.FreeServers].
	Entering
)

// enters reports whether an instance that is not in service enters at once.
func (g *Group) enters(f Facts, i registry.Instance, at time.Time) bool {
	return !g.damper.delays(i, at) && !f.Elsewhere(i)
}

// takesTraffic reports whether an instance takes requests, or will as soon as the
// workers are updated.
func (g *Group) takesTraffic(f Facts, i registry.Instance, at time.Time) bool {
	switch f.Traffic(i) {
	case Serving:
		return true
	case Returning:
		return g.enters(f, i, at)
	case Entering:
		return g.enters(f, i, at) && f.FreeServers() > 0
	}
	return false
}

// countServing counts the registered instances that take requests in the sense of
// takesTraffic.
func (g *Group) countServing(f Facts, at time.Time) (n int) {
	damped, entering := 0, 0
	for _, i := range g.registered.Instances {
		traffic := f.Traffic(i)
		switch {
		case traffic == Serving:
			n++
		case !f.InService(i) && g.damper.delays(i, at):
			damped++
		case traffic == Returning && g.enters(f, i, at):
			n++
		case traffic == Entering && g.enters(f, i, at):
			entering++
		}
	}
	if dampsTooMany(damped, len(g.registered.Instances)) {
		n += damped
	}
	if entering > 0 {
		n += min(entering, f.FreeServers())
	}
	return n
}
