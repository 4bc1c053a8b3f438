package slots

import (
	"net/netip"
	"strings"
	"time"

	"github.com/haproxy-zk/haproxy-zk/haproxy"
)

// Slot is one `server` of a backend.
type Slot struct {
	// Addr is its last address; invalid if it never had one.
	Addr netip.AddrPort
	// Used is true while an instance occupies it.
	Used bool
	// Down is true if every worker's health check found it down, or if it waits for its
	// first successful check.
	Down bool
	// unverified is true if the slot is down only because its instance was out of
	// service when the loss of its group was detected.
	unverified bool
	// unchecked is true until the first successful health check of an instance that has
	// to wait for it.
	unchecked bool
	// ramping is true if its instance gets a growing share of the requests, or will when it
	// enters; see [Table.Ramp].
	ramping bool
	// Operator is the administrative state set by an operator; empty, or Maint or Drain
	// until the operator sets ready or the instance leaves.
	Operator haproxy.Admin
	// Weight is the weight set by an operator, until the instance leaves.
	Weight haproxy.Weight
	// AgentOff is true while an operator has disabled its agent check.
	AgentOff bool
	// ByAgent is true if its agent check may have set Operator: HAProxy does not say
	// which.
	ByAgent bool

	// drain is true if the registration says that only known clients may reach the instance,
	// share is the weight that it asks for; 0 is the configured one.
	drain bool
	share haproxy.Weight

	// until is when a departed instance loses its sticky sessions; zero if it has none.
	until time.Time
	// draining is true from the departure of its instance until none of that instance's
	// sessions remain: a new address before that would send requests to the departed
	// instance (HAProxy 2.2 and 2.6 keep the server connection in the slot's idle
	// pool).
	draining bool
	// round is the round of renewals after which no client from before the departure of
	// its instance is connected; 0 if that is not known yet.
	round uint64
	// deleteAt is when its server may be deleted, if no worker uses it any more; zero if
	// not all workers have taken it out of service. deleteWait is how long to wait if that
	// fails.
	deleteAt   time.Time
	deleteWait time.Duration
	// freed orders free slots by the departure of their instances; 0 if never used.
	freed uint64
}

// Leaving reports whether the slot's instance has left and keeps its sessions.
func (s *Slot) Leaving() bool { return !s.until.IsZero() }

// Placed reports whether the slot's server should have the slot's address.
func (s *Slot) Placed() bool { return s.Used || s.Leaving() }

// AtRest reports whether the slot may be given to any instance.
func (s *Slot) AtRest() bool { return !s.Used && !s.draining }

// Row returns how the slot is rendered. A slot that is down is rendered free, because
// HAProxy considers a server up until its first failed check; its address and state are
// set afterwards. Rendered disabled, and left so by a daemon that ends at that moment,
// it would look like an operator's override. The same holds for a slot whose instance is
// in its slow start: rendered, it would get its full share at once. One that drains because
// its registration says so would get new requests. A slot that an
// operator took out of service is rendered disabled, and a leaving one as if it stayed, to
// keep its sticky sessions.
func (s *Slot) Row() haproxy.Row {
	if !s.Placed() || (s.Down || s.ramping || s.drained()) && s.Operator == "" {
		return haproxy.Row{}
	}
	return haproxy.Row{Addr: s.Addr, Disabled: !s.TakesTraffic()}
}

// TakesTraffic reports whether operators, agent checks and its registration allow a worker to send
// requests to the slot's instance, whatever its health.
func (s *Slot) TakesTraffic() bool {
	return s.Operator == "" && s.Weight != haproxy.NoWeight && !s.drained()
}

// Unchecked reports whether the slot waits for the first health check of its instance.
func (s *Slot) Unchecked() bool { return s.unchecked }

// wantedWeight returns the desired weight of the slot's server.
func (s *Slot) wantedWeight() haproxy.Weight {
	if !s.Used || s.drained() {
		return haproxy.NoWeight // marks it as not taken out by an operator
	}
	if s.Weight != 0 {
		return s.Weight
	}
	return s.share
}

// Admin returns the desired administrative state of the slot's server.
func (s *Slot) Admin() haproxy.Admin {
	switch {
	case s.Leaving():
		return haproxy.Drain
	case !s.Used:
		return haproxy.Maint
	case s.Operator != "":
		return s.Operator
	case s.drained():
		return haproxy.Drain
	}
	return haproxy.Ready
}

// ChangedBy returns what set Operator, Weight or AgentOff: an operator or an agent
// check.
func (s *Slot) ChangedBy() string {
	if s.ByAgent {
		return "agent check or operator"
	}
	return "operator"
}

// Override describes an operator's override in HAProxy's words; empty if there is none.
func (s *Slot) Override() string {
	if !s.Used {
		return ""
	}
	text := string(s.Operator)
	if s.Weight != 0 {
		text += " weight " + s.Weight.String()
	}
	if s.AgentOff {
		text += " agent disabled"
	}
	return strings.TrimSpace(text)
}

// matches reports whether a server is in the slot's desired state.
func (s *Slot) matches(h *haproxy.Server) bool {
	if !s.Placed() {
		// A server that was already out of service may lack the mark.
		return h.Absent || h.Admin == haproxy.Maint && (h.Weight == haproxy.NoWeight || h.Addr != s.Addr || !s.Addr.IsValid()) && h.Agent != haproxy.AgentOn
	}
	return h.Admin == s.Admin() && h.Addr == s.Addr && h.Weight == s.wantedWeight() && h.Agent == s.agent(h.Agent)
}

// agent returns the desired state of the agent check, given its current state. It is
// off while the instance should get no new requests: an agent could end that.
func (s *Slot) agent(now haproxy.Agent) haproxy.Agent {
	switch {
	case now == haproxy.NoAgent:
		return haproxy.NoAgent
	case !s.Used || s.AgentOff || s.drained():
		return haproxy.AgentOff
	}
	return haproxy.AgentOn
}

// made returns the desired server of a placed slot, based on the actual one.
func (s *Slot) made(of haproxy.Server) haproxy.Server {
	return haproxy.Server{Addr: s.Addr, Admin: s.Admin(), Weight: s.wantedWeight(), Agent: s.agent(of.Agent)}
}
