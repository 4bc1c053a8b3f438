package plan

import (
	"cmp"
	"net"
	"net/netip"
	"slices"
	"strconv"
	"strings"
)

// Listen is an address in HAProxy's configuration.
type Listen struct {
	Network string // tcp4 or tcp6
	Addr    string // host:port in Go's notation; the host may be empty
	Line    int    // of the configuration, counted from 1
	// Interface and Namespace are the settings of these names; mostly empty.
	Interface, Namespace string
}

// Apart reports whether it is that of one interface or another network namespace: others
// may have the same address beside it.
func (l Listen) Apart() bool { return l.Interface != "" || l.Namespace != "" }

// Listens returns the addresses of the bind lines of a configuration. Those that are
// not a plain address and port, such as unix sockets or variables, are omitted.
func Listens(config []byte) []Listen {
	var listens []Listen
	n := 0
	for line := range strings.Lines(string(config)) {
		n++
		words := strings.Fields(line)
		if len(words) < 2 || words[0] != "bind" {
			continue
		}
		for address := range strings.SplitSeq(words[1], ",") {
			if network, addr, plain := bindAddress(address); plain {
				listens = append(listens, Listen{network, addr, n, argument(words, "interface"), argument(words, "namespace")})
			}
		}
	}
	return listens
}

// argument returns the word after a keyword; empty if there is none.
func argument(words []string, keyword string) string {
	if i := slices.Index(words, keyword); i >= 0 && i+1 < len(words) {
		return words[i+1]
	}
	return ""
}

// Addresses parses addresses in Go's notation, host:port. Those with a name as host or
// port are omitted; an empty host is 0.0.0.0.
func Addresses(listens []string) (all []netip.AddrPort) {
	for _, l := range listens {
		host, number, err := net.SplitHostPort(l)
		if err != nil {
			continue
		}
		if addr, err := netip.ParseAddrPort(net.JoinHostPort(cmp.Or(host, "0.0.0.0"), number)); err == nil {
			all = append(all, addr)
		}
	}
	return all
}

// bindAddress parses the address of HAProxy's `bind`: `*:80`, `:80`, an IPv4 or IPv6
// address with a port, with an optional prefix ipv4@ or ipv6@.
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
