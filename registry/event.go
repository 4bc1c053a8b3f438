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
	// EventStart is the start of haproxy-zk.
	EventStart EventKind = "start"
	// EventStop is the end of haproxy-zk, as requested or by a failure; a crash has none.
	EventStop EventKind = "stop"
	// EventConfigurationAccepted means that the configuration was read again. One with a proxy
	// means that HAProxy has it without a reload.
	EventConfigurationAccepted EventKind = "configuration_accepted"
	// EventConfigurationRejected means that it was read again and nothing has changed.
	EventConfigurationRejected EventKind = "configuration_rejected"

	// EventZooKeeperLost means that ZooKeeper cannot be reached.
	EventZooKeeperLost EventKind = "zookeeper_lost"
	// EventZooKeeperBack is the end of [EventZooKeeperLost].
	EventZooKeeperBack EventKind = "zookeeper_back"
	// EventDirectoryLost means that the directory of the instances cannot be read.
	EventDirectoryLost EventKind = "directory_lost"
	// EventDirectoryBack is the end of [EventDirectoryLost].
	EventDirectoryBack EventKind = "directory_back"
	// EventReload is a start, reload or adoption of HAProxy.
	EventReload EventKind = "reload"
	// EventReloadFailed is a reload that changed nothing. A retry that fails for the same
	// reason is none.
	EventReloadFailed EventKind = "reload_failed"
	// EventWorkerExit is the end of an HAProxy process: drained, killed or died.
	EventWorkerExit EventKind = "worker_exit"

	// EventHeld means that the loss guard holds deregistered instances of a group.
	EventHeld EventKind = "held"
	// EventReleased is the end of [EventHeld].
	EventReleased EventKind = "released"
	// EventOutage means that the requests of a group fail for lack of an instance.
	EventOutage EventKind = "outage"
	// EventOutageOver is the end of [EventOutage].
	EventOutageOver EventKind = "outage_over"

	// EventRegistered is a new instance in ZooKeeper. Those of the first list of a group
	// are none.
	EventRegistered EventKind = "registered"
	// EventDeregistered is an instance that has left ZooKeeper.
	EventDeregistered EventKind = "deregistered"
	// EventServing means that every worker has an instance in service. One without an
	// instance stands for all instances of a start.
	EventServing EventKind = "serving"
	// EventDraining means that every worker sends an instance only requests of known
	// clients.
	EventDraining EventKind = "draining"
	// EventRemoved means that no worker sends an instance new requests.
	EventRemoved EventKind = "removed"
	// EventDown means that the health checks of every worker find an instance down.
	EventDown EventKind = "down"
	// EventUp means that the health checks of a worker find an instance up again, or for
	// the first time.
	EventUp EventKind = "up"
	// EventDamped means that the return of a flapping instance is delayed.
	EventDamped EventKind = "damped"
	// EventOperator is a change by an operator, or by an agent check, on a stats socket.
	EventOperator EventKind = "operator"
)

// EventKinds returns all kinds.
func EventKinds() []EventKind {
	return []EventKind{
		EventStart, EventStop, EventConfigurationAccepted, EventConfigurationRejected,
		EventZooKeeperLost, EventZooKeeperBack, EventDirectoryLost, EventDirectoryBack, EventReload, EventReloadFailed, EventWorkerExit,
		EventHeld, EventReleased, EventOutage, EventOutageOver,
		EventRegistered, EventDeregistered, EventServing, EventDraining, EventRemoved, EventDown, EventUp, EventDamped, EventOperator,
	}
}

// Valid reports whether the kind is one of [EventKinds].
func (k EventKind) Valid() bool { return slices.Contains(EventKinds(), k) }
