package main

import (
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/haproxy-zk/haproxy-zk/config"
)

// listening is one address that run would listen on.
type listening struct {
	proxy         string
	network, addr string // tcp, tcp4, tcp6 or udp, and host:port as Go writes it
	where         string
	line          int
	ours          bool // whoever listens there now is a part of this configuration
}

// configuredListens are the ports that the configuration names, for a proxy that
// cannot be rendered.
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

func port(n uint16) string { return ":" + strconv.Itoa(int(n)) }

// renderedListens are the addresses that HAProxy would bind, the user's own ones
// among them. Those that are no plain address and port are left out.
func renderedListens(pl *plan, rendered []byte) []listening {
	var listens []listening
	places := newPlaces(pl, rendered)
	n := 0
	for line := range strings.Lines(string(rendered)) {
		n++
		words := strings.Fields(line)
		if len(words) < 2 || words[0] != "bind" {
			continue
		}
		for address := range strings.SplitSeq(words[1], ",") {
			network, addr, plain := bindAddress(address)
			if !plain {
				continue
			}
			l := listening{proxy: pl.Name, network: network, addr: addr}
			l.where, l.line = places.of(n)
			for _, known := range configuredListens(pl.Proxy) {
				if strings.HasSuffix(addr, known.addr) {
					l.where, l.line = known.where, 0
				}
			}
			listens = append(listens, l)
		}
	}
	return listens
}

// bindAddress understands what HAProxy's `bind` takes: `*:80`, `:80`, an IPv4 or
// IPv6 address with a port, and the prefixes ipv4@ and ipv6@.
func bindAddress(text string) (network, addr string, plain bool) {
	text, v4 := strings.CutPrefix(text, "ipv4@")
	text, v6 := strings.CutPrefix(text, "ipv6@")
	colon := strings.LastIndex(text, ":")
	if colon < 0 {
		return "", "", false
	}
	host, number := strings.Trim(text[:colon], "[]"), text[colon+1:]
	if _, err := strconv.ParseUint(number, 10, 16); err != nil || number == "0" {
		return "", "", false
	}
	if host == "*" {
		host = ""
	}
	network = "tcp4"
	if v6 || !v4 && strings.Contains(host, ":") {
		network = "tcp6"
	}
	if host != "" && net.ParseIP(host) == nil {
		return "", "", false
	}
	return network, net.JoinHostPort(host, number), true
}

// judgeClashes finds addresses that two of the configuration want: two HAProxies
// of one user would share a port without a word, each with half the connections.
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
				Text: fmt.Sprintf("%s wants the address of %s as well", l.addr, place), Remedy: "give each a port of its own",
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
		return false // HAProxy's IPv6 addresses are for IPv6 alone
	}
	return isWildcard(hostA) || isWildcard(hostB) || hostA == hostB
}

func isWildcard(host string) bool {
	return host == "" || net.ParseIP(host).IsUnspecified()
}

// checkListen tries to listen, without SO_REUSEPORT, with which HAProxy would
// come to share a port.
func checkListen(l listening) []finding {
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
		f.Text = fmt.Sprintf("port %s is taken: something listens on it", number)
		f.Remedy = fmt.Sprintf("stop it (`ss -ltunp 'sport = :%s'` names it), or choose another port", number)
	case errors.Is(err, os.ErrPermission):
		f.Text = fmt.Sprintf("port %s cannot be listened on: %v", number, err)
		f.Remedy = "choose a port from 1024 on, or give CAP_NET_BIND_SERVICE"
	default:
		f.Text = fmt.Sprintf("it cannot be listened on: %v", err)
		f.Remedy = "write an address of this machine"
	}
	return []finding{f}
}
