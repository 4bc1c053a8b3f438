package registry

import "slices"

// Event is a change that a person may ask about later: of haproxy-zk itself, of a proxy,
// one of its groups, or an instance.
type Event struct {
	Kind EventKind
	// Proxy and Group are empty if the event concerns no single one.
	Proxy, Group string
	// Instance is the zero value if the event concerns no single one.
	Instance Instance
	// Reason is why, in a few words: registered, operator, worker died.
	Reason string
	// Detail has the particulars, for people.
	Detail string
}

// EventKind is what happened in an [Event].
type EventKind string

const (
	// EventStart is the start of haproxy-zk, EventStop its end as requested or by a failure;
	// a crash has none.
	EventStart EventKind = "start"
	EventStop  EventKind = "stop"
	// EventConfigurationAccepted and EventConfigurationRejected are the results of reading
	// the configuration again.
	EventConfigurationAccepted EventKind = "configuration_accepted"
	EventConfigurationRejected EventKind = "configuration_rejected"

	// EventZooKeeperLost means that ZooKeeper cannot be reached, EventZooKeeperBack the end
	// of that.
	EventZooKeeperLost EventKind = "zookeeper_lost"
	EventZooKeeperBack EventKind = "zookeeper_back"
	// EventReload is a start, reload or adoption of HAProxy, EventReloadFailed one that
	// changed nothing. A retry that fails for the same reason is none.
	EventReload       EventKind = "reload"
	EventReloadFailed EventKind = "reload_failed"
	// EventWorkerExit is the end of an HAProxy process: drained, killed or died.
	EventWorkerExit EventKind = "worker_exit"

	// EventHeld means that the loss guard holds deregistered instances of a group,
	// EventReleased that it does so no longer.
	EventHeld     EventKind = "held"
	EventReleased EventKind = "released"
	// EventOutage means that the requests of a group fail for lack of an instance,
	// EventOutageOver that they are served again.
	EventOutage     EventKind = "outage"
	EventOutageOver EventKind = "outage_over"

	// EventRegistered and EventDeregistered are changes in ZooKeeper. The first list of a
	// group is none.
	EventRegistered   EventKind = "registered"
	EventDeregistered EventKind = "deregistered"
	// EventServing means that every worker has an instance in service, EventDraining that
	// every worker sends it only requests of known clients, EventRemoved that none sends it
	// new requests. One EventServing without an instance stands for all instances of a
	// start.
	EventServing  EventKind = "serving"
	EventDraining EventKind = "draining"
	EventRemoved  EventKind = "removed"
	// EventDown means that the health checks of every worker find an instance down, EventUp
	// that those of one find it up again, or for the first time.
	EventDown EventKind = "down"
	EventUp   EventKind = "up"
	// EventDamped means that the return of a flapping instance is delayed.
	EventDamped EventKind = "damped"
	// EventOperator is a change by an operator, or by an agent check, on a stats socket.
	EventOperator EventKind = "operator"
)

// EventKinds returns all kinds.
func EventKinds() []EventKind {
	return []EventKind{
		EventStart, EventStop, EventConfigurationAccepted, EventConfigurationRejected,
		EventZooKeeperLost, EventZooKeeperBack, EventReload, EventReloadFailed, EventWorkerExit,
		EventHeld, EventReleased, EventOutage, EventOutageOver,
		EventRegistered, EventDeregistered, EventServing, EventDraining, EventRemoved, EventDown, EventUp, EventDamped, EventOperator,
	}
}

// Valid reports whether the kind is one of [EventKinds].
func (k EventKind) Valid() bool { return slices.Contains(EventKinds(), k) }
