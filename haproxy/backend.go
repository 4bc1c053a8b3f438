package haproxy

import "time"

// Backend describes one group's backend, except its servers.
type Backend struct {
	// Name is the group's name, and that of the backend and its ACL.
	Name string
	// ACLs are conditions in HAProxy's language, without a name, any of which sends a
	// request to the backend.
	ACLs []string
	// Route finds the backend in a map. ACLs are then the route's [Route.Conditions].
	Route Route
	// Mode is http or tcp.
	Mode string
	// Balance is HAProxy's algorithm; if empty, that of the template's defaults applies, or
	// roundrobin.
	Balance string
	// HTTPCheck is the method and path of the health check, such as "GET /probe.jsp"; empty
	// for a TCP check.
	HTTPCheck string
	// Lines are the group's own lines of HAProxy's configuration, rendered before the
	// servers. They may contain the placeholders of a template's line.
	Lines []string
	// Default makes it the frontend's default_backend.
	Default bool
	// ServerClose is whether each request gets a server connection of its own. If nil, it
	// does where kept clients would stay on deregistered instances and cannot be made to
	// renew their connections (see [Template.Renews]).
	ServerClose *bool
	// WaitCheck keeps requests from a new instance until its first successful check.
	WaitCheck bool
	// LossGuard is the percentage of the instances above which losing them at once is
	// implausible; 0 is all.
	LossGuard int
	// DrainTimeout is how long a deregistered instance keeps its sticky sessions; 0 is not
	// at all.
	DrainTimeout time.Duration
	// LatencyHistogram is true if the durations of the backend's requests are taken from
	// HAProxy's log.
	LatencyHistogram bool
	// ListenerPort gives the backend its own frontend; 0 is none.
	ListenerPort uint16
	// Discovered is whether the group was discovered, and not written out.
	Discovered bool
	// Carry is how its instances are to get servers; empty is [CarrySlots].
	Carry   Carry
	Servers ServerTemplate
}
