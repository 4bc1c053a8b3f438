package stats

import (
	"net/netip"
	"time"

	"github.com/haproxy-zk/haproxy-zk/haproxy"
)

// Reading is what the workers of one proxy reported, as if they were one process. It is
// immutable.
type Reading struct {
	Proxy string
	// At is when the reading ended.
	At time.Time
	// Window is the time over which [Rates] are averages: since a reading of some seconds
	// ago. It is 0, and there are no rates, if there was none within the last minutes: ask
	// again after a second.
	Window time.Duration
	// Workers is the number of workers that answered. Without any there are no figures.
	Workers int
	// Silent are the pids of the workers that did not answer. What they had counted is
	// included in the counters, but nothing else of them.
	Silent []int
	// Frontends are in the order of HAProxy, Groups in that of the configuration. Groups
	// that HAProxy does not have are missing.
	Frontends []Frontend
	Groups    []Group
}

// Figures are those of a frontend, a group or an instance, summed over the workers.
type Figures struct {
	// Sessions run now, Queued wait now, and Limit may run at a time; 0 is no limit.
	Sessions, Queued, Limit uint64
	// HTTP is true if HTTP responses are counted.
	HTTP bool
	// ResponseTime is the average of the last 1,024 requests of each worker.
	ResponseTime time.Duration
	// Counters never fall while haproxy-zk runs.
	Counters haproxy.Counters
	// Rates are those of the counters lately.
	Rates Rates
}

// Frontend has the figures of one frontend.
type Frontend struct {
	Name string
	Figures
}

// Group has the figures of one group, those of its backend, and its instances.
type Group struct {
	Name string
	Figures
	// Instances are sorted by address.
	Instances []Instance
}

// Instance has the figures of one instance.
type Instance struct {
	Addr netip.AddrPort
	// Up is true if the instance is up in every worker that answered.
	Up bool
	// Weight is the smallest of its weights in the workers.
	Weight uint64
	// Gone is true if the instance has left within the last minutes: only its counters are
	// valid.
	Gone bool
	// Servers are its servers, by worker; usually one in each.
	Servers []Server
	Figures

	// label is `,address="…"`, which lasts as long as its counters are remembered.
	label string
}

// Server is the server of an instance in one worker.
type Server struct {
	// PID is that of the worker.
	PID  int
	Name string
	// Status and Weight are those of now, Since is when the status last changed, in whole
	// seconds.
	Status haproxy.Status
	Weight uint64
	Since  time.Time
	// Starting is true while `slowstart` keeps it from its full share of the requests.
	Starting         bool
	Sessions, Queued uint64
	// Check is its last health check.
	Check haproxy.Check
}
