package haproxy

import (
	"fmt"
	"net/netip"
	"strings"
)

// Command is one command to a server on the stats socket.
type Command struct {
	// Server is `backend/server`.
	Server string
	// Verb is addr, state, weight, health or agent, or one that precedes the server:
	// [EnableAgent], [DisableAgent], [EnableHealth] or [AddServer].
	Verb string
	// Value follows the verb: `10.0.0.1 port 80`, `ready`; or, with AddServer, the server.
	Value string
}

// The verbs that precede the server. All but AddServer take no value.
const (
	EnableAgent  = "enable agent"
	DisableAgent = "disable agent"
	// EnableHealth starts the health checks of a server that was added.
	EnableHealth = "enable health"
	// AddServer adds a server, in maintenance; see [Delete] for the reverse.
	AddServer = "add server"
)

func (c Command) String() string {
	switch {
	case c.Verb == AddServer:
		return c.Verb + " " + c.Server + " " + c.Value
	case c.Value == "":
		return c.Verb + " " + c.Server
	}
	return "set server " + c.Server + " " + c.Verb + " " + c.Value
}

// SetAddr changes the address of a server, `backend/server`.
func SetAddr(server string, addr netip.AddrPort) Command {
	// The port is always set: otherwise a slot keeps port 0, for which HAProxy uses the
	// frontend's port, a loop.
	return Command{server, "addr", fmt.Sprintf("%s port %d", addr.Addr(), addr.Port())}
}

// SetWeight changes the weight of a server.
func SetWeight(server string, weight Weight) Command {
	return Command{server, "weight", weight.String()}
}

// SetState changes the administrative state of a server.
func SetState(server string, state Admin) Command { return Command{server, "state", string(state)} }

// Confirm returns nil if reply is what HAProxy 2.0 to 3.4 answers to a command that it
// has carried out. For addr that is one of
//
//	IP changed from '0.0.0.0' to '127.0.0.1', port changed from '+0' to '9002' by 'stats socket command'
//	no need to change the addr, port changed from '9002' to '9003' by 'stats socket command'
//	no need to change the addr, no need to change the port by 'stats socket command'
//	nothing changed                                             (3.0)
//
// for [AddServer]
//
//	New server registered.
//
// and for all others nothing.
func (c Command) Confirm(reply string) error {
	good := reply == ""
	switch c.Verb {
	case AddServer:
		good = reply == "New server registered."
	case "addr":
		good = reply == "nothing changed" || strings.HasSuffix(reply, " by 'stats socket command'") &&
			(strings.Contains(reply, " changed from ") || strings.HasPrefix(reply, "no need to change the addr, no need to change the port")) &&
			!strings.Contains(reply, "problem converting") && !strings.Contains(reply, "can't change")
	}
	if !good {
		return fmt.Errorf("%.300q: HAProxy answered %.200q", c.String(), reply)
	}
	return nil
}

// Refused reports whether reply says that HAProxy will never add this server, whatever is
// tried: it neither did, nor has one of that name, nor is the backend unknown.
func (c Command) Refused(reply string) bool {
	return c.Verb == AddServer && c.Confirm(reply) != nil &&
		reply != "Already exists a server with the same name in backend." && reply != "No such backend."
}
