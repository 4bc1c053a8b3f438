package ui

import (
	"time"

	"github.com/haproxy-zk/haproxy-zk/registry"
)

// Overview is what a page can show, at one moment. It is immutable.
type Overview struct {
	// Ready is what /readyz answers.
	Ready, Stopping bool
	// Place is where this load balancer runs.
	Place registry.Place
	// Rejected is why the latest configuration was rejected, and since when; empty if it
	// was not.
	Rejected      string
	RejectedSince time.Time
	Proxies       []Proxy
	// Groups are those of all proxies, in the order of the configuration.
	Groups []Group
}

// Proxy is a proxy in the strip.
type Proxy struct {
	Name  string
	Ready bool
	// Problem is why it is not ready, or why the last reload failed.
	Problem string
	Sources registry.ConnectionStatus
	// Workers are the serving processes, Silent those of them that do not answer.
	Workers, Silent int
	// Draining are the processes of replaced generations, Generations are all.
	Draining, Generations int
	Launched              registry.Launched
	// Version is HAProxy's, Ended whether it is past its end of life, Support what is
	// known of that.
	Version, Support string
	Ended            bool
	// Carried counts the groups by how they get servers of HAProxy.
	Carried []Carried
	// Unread is the number of groups whose instances have not been read yet.
	Unread int
	// Misplaced is what is found in the sources beside the groups.
	Misplaced []registry.Finding
}

// Carried is the number of groups that get servers in a way: slots, servers or backends.
type Carried struct {
	By     string
	Groups int
}

// Group is a group as a row shows it.
type Group struct {
	Proxy, Name string
	// Registered are in a source. Up are up in every worker, Down those that are meant to
	// serve and are not, for their check. Held are kept by the loss guard; Waiting are in no
	// worker yet, or delayed because they flap.
	Registered, Up, Down, Held, Waiting int
	// Starting, Changed and Different are those that start slowly, that an operator or an
	// agent check has changed, and that are not the same in all workers.
	Starting, Changed, Different int
	// Outage is true if there are instances and none is up, Full if some wait because a limit
	// of servers is reached.
	Outage, Full bool
	// Unread is true before the instances have been read, Recalled if they come from the
	// cache.
	Unread, Recalled bool
	// CarriedBy is how the instances get servers of HAProxy: slots, servers or backends.
	// CarriedReason is why that is not as configured; empty if it is.
	CarriedBy, CarriedReason string
	// Reported is true if a worker reports the group.
	Reported bool
	Figures
	Findings []registry.Finding
	// Members are its instances.
	Members Members
}

// Members are the instances of a group. Any goroutine may call its methods.
type Members interface {
	// Instances returns all, sorted by address.
	Instances() []Instance
	// Has reports whether the address of one of them contains text.
	Has(text string) bool
}

// Figures are those of a group or an instance, of all workers.
type Figures struct {
	Sessions, Queue uint64
	HTTP            bool
	// Rated is false if there are no rates yet.
	Rated bool
	// Rate is requests per second, with TCP sessions; Share is that of errors in the
	// responses, from 0 to 1.
	Rate, Share  float64
	ResponseTime time.Duration
}

// Instance is an instance with what each worker reports of it.
type Instance struct {
	Address string
	State   State
	// SetBy is what the state is due to, Reason says more.
	SetBy, Reason string
	Since         time.Time // zero if no worker has it
	Weight        uint64
	Differs       bool
	Figures
	Workers []Worker
}

// Worker is the server of an instance in one worker.
type Worker struct {
	PID              int
	Server           string
	State            State
	Since            time.Time
	Weight           uint64
	Sessions, Queue  uint64
	Checked          bool
	Check, CheckText string
	CheckCode        uint64
	CheckTook        time.Duration
}

// State is the state of an instance: up, starting, drain, down, maint, held or waiting.
type State string

// tone is the color of a state, of which the word says the same.
func (s State) tone() tone {
	switch s {
	case "up":
		return good
	case "down":
		return bad
	case "drain", "maint":
		return info
	}
	return warn
}

// Event is a recorded event.
type Event struct {
	Seq  uint64
	Time time.Time
	registry.Event
}

// Events are the latest events that a page asks for, the latest first.
type Events struct {
	List []Event
	// More is true if there are more than the page shows, Lost if some are no longer kept.
	More, Lost bool
}
