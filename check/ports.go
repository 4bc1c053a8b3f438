package check

import (
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/haproxy-zk/haproxy-zk/config"
	"github.com/haproxy-zk/haproxy-zk/plan"
)

// listening is an address that run would listen on.
type listening struct {
	proxy         string
	network, addr string // tcp, tcp4, tcp6 or udp, and host:port in Go's notation
	where         string
	line          int
	device        string // the interface; empty is all
	namespace     string // empty is that of this process
	ours          bool   // the current listener belongs to this configuration
}

// configuredListens returns the addresses in the configuration of a proxy that cannot
// be rendered.
func configuredListens(p config.Proxy) []listening {
	listens := []listening{
		{proxy: p.Name, network: "tcp4", addr: port(p.ListenerPort), where: p.Name + ".listener_port"},
		{proxy: p.Name, network: "tcp4", addr: port(p.AdminPort), where: p.Name + ".admin_port"},
	}
	for _, g := range p.Groups {
		if g.ListenerPort != 0 {
			listens = append(listens, listening{
				proxy: p.Name, network: "tcp4", addr: port(g.ListenerPort),
				where: p.Name + ".groups." + g.Name + ".listener_port",
			})
		}
	}
	return listens
}

// httpListens returns the addresses of the HTTP port.
func (o Options) httpListens() []listening {
	listens := make([]listening, len(o.HTTPAddrs))
	for i, addr := range o.HTTPAddrs {
		listens[i] = listening{network: "tcp", addr: addr, where: o.HTTPVariables[i]}
	}
	return listens
}

func port(n uint16) string { return ":" + strconv.Itoa(int(n)) }

// renderedListens returns the addresses that HAProxy would bind, the template's own
// included. Any other form than a plain address and port is omitted.
func renderedListens(pl *plan.Plan, rendered []byte) []listening {
	var listens []listening
	places := newPlaces(subject{Plan: pl}, rendered)
	for _, bound := range plan.Listens(rendered) {
		l := listening{proxy: pl.Name, network: bound.Network, addr: bound.Addr, device: bound.Interface, namespace: bound.Namespace}
		l.where, l.line = places.of(bound.Line)
		for _, known := range configuredListens(pl.Proxy) {
			if strings.HasSuffix(bound.Addr, known.addr) {
				l.where, l.line = known.where, 0
			}
		}
		listens = append(listens, l)
	}
	return listens
}

// addresses returns the numeric addresses among the listens.
func addresses(listens []listening) []netip.AddrPort {
	all := make([]string, len(listens))
	for i, l := range listens {
		all[i] = l.addr
	}
	return plan.Addresses(all)
}

// judgeClashes finds addresses that are used twice: two HAProxies of one user would
// silently share the port and get half of the connections each.
func judgeClashes(listens []listening) []finding {
	var found []finding
	for i, l := range listens {
		for _, other := range listens[:i] {
			if l.proxy == other.proxy || !overlap(l, other) {
				continue
			}
			place := other.where
			if other.line > 0 {
				place = fmt.Sprintf("%s:%d of %s", place, other.line, other.proxy)
			}
			found = append(found, finding{
				Proxy: l.proxy, Severity: isError, Where: l.where, Line: l.line,
				Text: fmt.Sprintf("%s is also the address of %s", l.addr, place), Remedy: "give each a port of its own",
			})
			break
		}
	}
	return found
}

func overlap(a, b listening) bool {
	hostA, portA, errA := net.SplitHostPort(a.addr)
	hostB, portB, errB := net.SplitHostPort(b.addr)
	if errA != nil || errB != nil || portA != portB {
		return false
	}
	if a.network != b.network && a.network != "tcp" && b.network != "tcp" {
		return false // HAProxy's IPv6 addresses do not accept IPv4
	}
	if a.device != b.device || a.namespace != b.namespace {
		return false // the kernel prefers the listener of the interface
	}
	return isWildcard(hostA) || isWildcard(hostB) || hostA == hostB
}

func isWildcard(host string) bool {
	return host == "" || net.ParseIP(host).IsUnspecified()
}

// checkListen tries to listen, without SO_REUSEPORT, which would let HAProxy share the
// port. The address of one interface or another namespace is not tried.
func checkListen(l listening) []finding {
	if l.device != "" || l.namespace != "" {
		return nil
	}
	var listener io.Closer
	var err error
	if l.network == "udp" {
		listener, err = net.ListenPacket(l.network, l.addr)
	} else {
		listener, err = net.Listen(l.network, l.addr)
	}
	if err == nil {
		err = listener.Close()
	}
	return judgeListen(l, err)
}

func judgeListen(l listening, err error) []finding {
	if err == nil {
		return nil
	}
	f := finding{Proxy: l.proxy, Severity: isError, Where: l.where, Line: l.line}
	_, number, _ := net.SplitHostPort(l.addr)
	switch {
	case errors.Is(err, unix.EADDRINUSE):
		f.Text = fmt.Sprintf("port %s is in use", number)
		f.Remedy = fmt.Sprintf("stop it (`ss -ltunp 'sport = :%s'` names it), or choose another port", number)
	case errors.Is(err, os.ErrPermission):
		f.Text = fmt.Sprintf("cannot listen on port %s: %v", number, err)
		f.Remedy = "choose a port of 1024 or above, or grant CAP_NET_BIND_SERVICE"
	default:
		f.Text = fmt.Sprintf("cannot listen: %v", err)
		f.Remedy = "use an address of this machine"
	}
	return []finding{f}
}
