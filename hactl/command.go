package hactl

import (
	"fmt"
	"net/netip"
	"strings"
)

// Command is one `set server` of the stats socket.
type Command struct {
	// Server is `backend/server`.
	Server string
	// Verb is addr, state, weight or health.
	Verb string
	// Value follows it: `10.0.0.1 port 80`, `ready`.
	Value string
}

func (c Command) String() string { return "set server " + c.Server + " " + c.Verb + " " + c.Value }

func setAddr(server string, addr netip.AddrPort) Command {
	// Always with the port: without it a slot keeps port 0, which HAProxy takes
	// for the frontend's port, a loop.
	return Command{server, "addr", fmt.Sprintf("%s port %d", addr.Addr(), addr.Port())}
}

func setWeight(server string, weight Weight) Command {
	return Command{server, "weight", weight.String()}
}

func setState(server, state string) Command { return Command{server, "state", state} }

// Confirm returns nil when reply is what HAProxy 2.0 to 3.0 says to a command
// that it has carried out. For addr these are
//
//	IP changed from '0.0.0.0' to '127.0.0.1', port changed from '+0' to '9002' by 'stats socket command'
//	no need to change the addr, port changed from '9002' to '9003' by 'stats socket command'
//	no need to change the addr, no need to change the port by 'stats socket command'
//	nothing changed                                             (3.0)
//
// and nothing at all for the others.
func (c Command) Confirm(reply string) error {
	good := reply == ""
	if c.Verb == "addr" {
		good = reply == "nothing changed" || strings.HasSuffix(reply, " by 'stats socket command'") &&
			(strings.Contains(reply, " changed from ") || strings.HasPrefix(reply, "no need to change the addr, no need to change the port")) &&
			!strings.Contains(reply, "problem converting") && !strings.Contains(reply, "can't change")
	}
	if !good {
		return fmt.Errorf("%q: HAProxy answered %.200q", c.String(), reply)
	}
	return nil
}
