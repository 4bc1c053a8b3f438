package config

import (
	"fmt"
	"net/netip"
	"strings"
)

// networks reads a list of networks: an array, or a string with commas, as in a variable.
func (o *object) networks(key string) (networks []netip.Prefix) {
	if v := o.get(key, ""); v.kind == isText {
		networks, _ = interpret(o.loader, v, networkList())
		return networks
	}
	for _, v := range o.list(key, "") {
		if n, ok := interpret(o.loader, v, network()); ok {
			networks = append(networks, n)
		}
	}
	return networks
}

const giveNetwork = "a network, as in 10.0.0.0/8 or fd00::/8, or an address"

func network() form[netip.Prefix] {
	return form[netip.Prefix]{give: giveNetwork, parse: parseNetwork}
}

func networkList() form[[]netip.Prefix] {
	return form[[]netip.Prefix]{
		give: "networks separated by commas; each is " + giveNetwork,
		parse: func(text string) (networks []netip.Prefix, err error) {
			for item := range strings.SplitSeq(text, ",") {
				n, err := parseNetwork(strings.TrimSpace(item))
				if err != nil {
					return nil, err
				}
				networks = append(networks, n)
			}
			return networks, nil
		},
	}
}

// parseNetwork parses a network. IPv4 inside IPv6 becomes IPv4, as with instances. An
// address with bits set beyond its mask is probably a mistake.
func parseNetwork(text string) (netip.Prefix, error) {
	if addr, err := netip.ParseAddr(text); err == nil && addr.Zone() == "" {
		addr = addr.Unmap()
		return netip.PrefixFrom(addr, addr.BitLen()), nil
	}
	n, err := netip.ParsePrefix(text)
	if err != nil {
		return netip.Prefix{}, fmt.Errorf("%q is not a network", text)
	}
	if n != n.Masked() {
		return netip.Prefix{}, fmt.Errorf("%q has bits set beyond its mask, %s has none", text, n.Masked())
	}
	const mapped = 96 // a shorter prefix would have bits set beyond its mask
	if n.Addr().Is4In6() {
		n = netip.PrefixFrom(n.Addr().Unmap(), n.Bits()-mapped)
	}
	return n, nil
}
