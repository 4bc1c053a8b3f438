package registry

// Snapshot is what one proxy is meant to serve. It is immutable: every change makes a new
// one, so a pointer to it identifies its content.
type Snapshot struct {
	Proxy string
	// Groups are in the configuration's order.
	Groups []*Group
	// Waiting are the groups whose list has not been read yet; [AllGroups] is first while
	// the discovered groups are unknown.
	Waiting []string
	// Down are the groups with registered instances of which none is up in every worker:
	// their requests fail.
	Down []string
	// Full are the groups with registered instances that wait for a server until another
	// instance leaves, because a limit of servers is reached.
	Full []string
	// Carried is how each of the groups gets servers of HAProxy, in the same order.
	Carried []Carried
	// ReloadError is why the last reload failed; the previous generation keeps serving.
	ReloadError string
	// Remarks are in the groups' order, then sorted by instance and kind.
	Remarks []Remark
}

// Carried is how the instances of a group get servers of HAProxy.
type Carried struct {
	// By is slots, rendered ahead of need, or servers, added as needed.
	By string
	// Reason is why that is not what the configuration asks for, in one line; empty if it is.
	Reason string
}

// AllGroups stands for the discovered groups, as in the configuration.
const AllGroups = "*"

// Remark says that an instance is not served as its registration alone implies.
type Remark struct {
	// Group is the name of one of the snapshot's groups.
	Group    string
	Instance Instance
	Kind     RemarkKind
	// Text has details for [Operator] and [Agent]: drain, maint, or weight and a number or
	// a percentage, joined by a space.
	Text string
}

// RemarkKind is the reason for a [Remark].
type RemarkKind string

const (
	// Held is a deregistered instance that the loss guard keeps in service.
	Held RemarkKind = "held"
	// Damped is an instance that is flapping and not back in service yet.
	Damped RemarkKind = "damped"
	// Operator is an instance that an operator has changed.
	Operator RemarkKind = "operator"
	// Agent is an instance that its agent check or an operator has changed: HAProxy does
	// not report which of them.
	Agent RemarkKind = "agent"
)

// Held returns the number of held instances of a group, or of all if group is empty.
func (s *Snapshot) Held(group string) (n int) {
	for _, r := range s.Remarks {
		if r.Kind == Held && (group == "" || group == r.Group) {
			n++
		}
	}
	return n
}
