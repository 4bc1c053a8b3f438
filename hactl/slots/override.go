package slots

import (
	"time"

	"github.com/haproxy-zk/haproxy-zk/haproxy"
)

// Restore sets what was found about a used slot's server in a previous HAProxy: an
// operator's override and, if down is true, that it is down. It reports whether there
// is an override.
func (t *Table) Restore(i int, before Slot, down bool) (overridden bool) {
	t.change()
	s := &t.Slots[i]
	s.Down = s.Down || down
	s.Operator, s.Weight, s.AgentOff = before.Operator, before.Weight, before.AgentOff
	if s.Weight == s.share {
		s.Weight = 0
	}
	s.ByAgent = before.ByAgent && s.Operator != ""
	return s.Override() != ""
}

// Override makes an operator's change of the slot's server its desired state.
func (t *Table) Override(i int, server haproxy.Server) {
	s := &t.Slots[i]
	s.ByAgent = server.Agent == haproxy.AgentOn && s.Admin() != server.Admin
	if server.Weight != s.wantedWeight() { // otherwise it is not the weight that was changed
		s.Weight = server.Weight
	}
	s.AgentOff = server.Agent == haproxy.AgentOff && !s.drained()
	s.Operator = server.Admin
	s.until = time.Time{} // ends the sessions of a leaving instance
	if server.Admin == haproxy.Ready {
		s.Operator = ""
	}
	t.change()
}

// SetHealth sets whether the health checks of all workers found the slot's instance
// down.
func (t *Table) SetHealth(i int, down bool) {
	s := &t.Slots[i]
	before := *s
	s.Down, s.unverified, s.unchecked = down, s.unverified && down, s.unchecked && down
	if *s != before {
		t.change()
	}
}
