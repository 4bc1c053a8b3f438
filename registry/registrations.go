package registry

// Registrations are the findings in a source for one group besides usable instances.
type Registrations struct {
	// Group is the group's name, or [AllGroups] for the path below which groups are
	// discovered.
	Group string
	// Usable is the number of the group's children that are admitted instances.
	Usable int
	// Formats counts the usable children by the format that was read; those of plain
	// `ip:port` are not counted.
	Formats map[string]int
	// Findings may be empty if Formats is not; its order is fixed.
	Findings []Finding
	// Skipped are the first of the children that Findings count, in their order.
	Skipped []Skipped
	// Unnamed is the number of the other children that are skipped.
	Unnamed int
}

// Skipped is one child that is not used.
type Skipped struct {
	// Name is escaped and cut like [Finding.Example].
	Name string
	Kind FindingKind
	// Problem and Remedy are those of the [Finding].
	Problem, Remedy string
}

// Finding is a number of children of one kind that are not served, or that are served but
// questionable. Only Example contains a name from outside.
type Finding struct {
	Kind  FindingKind
	Count int
	// Example is the name of one of them, escaped as in Go and of at most a few hundred
	// bytes; empty for [NotCreated].
	Example string
	// Problem is a phrase about what is wrong with them, Remedy about what to do.
	Problem, Remedy string
}

// FindingKind is the kind of a [Finding]: a word for metrics and scripts.
type FindingKind string

// The kinds of skipped children, by the format of their names.
const (
	// HostName is a host name with a port.
	HostName FindingKind = "host_name"
	// UUID is the format of Curator and Spring Cloud.
	UUID FindingKind = "uuid"
	// Sequential ends with ZooKeeper's sequence number.
	Sequential FindingKind = "sequential"
	// HostPortSequence is HOST_PORT_SEQUENCE, the format of Nerve.
	HostPortSequence FindingKind = "host_port_sequence"
	// URL is an encoded URL, the format of Dubbo.
	URL FindingKind = "url"
	// Encoded is JSON or base64.
	Encoded FindingKind = "encoded"
	// Address is an address that cannot be connected to, or without a usable port.
	Address FindingKind = "address"
	// Payload is data that is not what the format needs.
	Payload FindingKind = "payload"
	// Protocol is an instance that offers no port for the protocol that is wanted.
	Protocol FindingKind = "protocol"
	// Waiting is an instance whose registration says that it does not serve yet, or not any
	// more.
	Waiting FindingKind = "waiting"
	// Unresolved is an instance whose host name has no usable address.
	Unresolved FindingKind = "unresolved"
	// Unreadable is a child whose data cannot, or may not, be read.
	Unreadable FindingKind = "unreadable"
	// Refused is an instance that is not admitted.
	Refused FindingKind = "refused"
	// Other is anything else.
	Other FindingKind = "other"
)

// The other kinds.
const (
	// Misplaced are children beside a group's missing path.
	Misplaced FindingKind = "misplaced"
	// Persistent are instances that are served and belong to no session.
	Persistent FindingKind = "persistent"
	// NotCreated is a path that could not be created.
	NotCreated FindingKind = "not_created"
	// NotFile is an entry of a directory that is no file: a FIFO, a socket, a device, a
	// directory, or a symbolic link.
	NotFile FindingKind = "not_a_file"
)
