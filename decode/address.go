package decode

import (
	"errors"
	"net/netip"

	"github.com/haproxy-zk/haproxy-zk/registry"
)

// maxAddress is more than the longest IPv6 address in brackets with a port.
const maxAddress = 64

var (
	errLong        = errors.New("longer than 64 bytes")
	errShape       = errors.New("not an ip:port")
	errZone        = errors.New("the address has a zone")
	errPort        = errors.New("the port is 0")
	errUnspecified = errors.New("the address is unspecified")
	errMulticast   = errors.New("the address is multicast")
)

// Address decodes the name of a child znode: an IPv4 address or an IPv6 address in
// brackets, a colon and a port of 1 to 65535, at most 64 bytes. An IPv4 address inside
// IPv6 becomes IPv4. Addresses with a zone, unspecified and multicast addresses are
// errors. The error is a [*Reason].
func Address(name string) (registry.Instance, error) {
	if len(name) > maxAddress {
		return registry.Instance{}, shaped(name, errLong)
	}
	parsed, err := netip.ParseAddrPort(name)
	if err != nil {
		return registry.Instance{}, shaped(name, errShape)
	}
	addr, err := usable(parsed.Addr())
	if err == nil && parsed.Port() == 0 {
		err = errPort
	}
	if err != nil {
		return registry.Instance{}, &Reason{Kind: registry.Address, Problem: err.Error(), Remedy: giveAddress}
	}
	return registry.Instance{Addr: netip.AddrPortFrom(addr, parsed.Port())}, nil
}

// usable returns an address in its canonical form, or why nothing can be reached there.
func usable(addr netip.Addr) (netip.Addr, error) {
	if addr.Zone() != "" {
		return netip.Addr{}, errZone
	}
	addr = addr.Unmap()
	switch {
	case addr.IsUnspecified():
		return netip.Addr{}, errUnspecified
	case addr.IsMulticast():
		return netip.Addr{}, errMulticast
	}
	return addr, nil
}

// Usable reports whether an address that a name has can be an instance's.
func Usable(addr netip.Addr) (netip.Addr, bool) {
	addr, err := usable(addr)
	return addr, err == nil
}
