package syncer

import (
	"errors"
	"net/netip"

	"github.com/haproxy-zk/haproxy-zk/registry"
)

// maxName is more than the longest IPv6 address in brackets with a port.
const maxName = 64

var (
	errLong        = errors.New("longer than 64 bytes")
	errShape       = errors.New("not an ip:port")
	errZone        = errors.New("the address has a zone")
	errPort        = errors.New("the port is 0")
	errUnspecified = errors.New("the address is unspecified")
	errMulticast   = errors.New("the address is multicast")
)

// Decode decodes the name of a child znode: an IPv4 address or an IPv6 address in
// brackets, a colon and a port of 1 to 65535, at most 64 bytes. An IPv4 address inside
// IPv6 becomes IPv4. Addresses with a zone, unspecified and multicast addresses are
// errors. The error gives the reason and does not repeat the name.
func Decode(name string) (registry.Instance, error) {
	if len(name) > maxName {
		return registry.Instance{}, errLong
	}
	parsed, err := netip.ParseAddrPort(name)
	if err != nil {
		return registry.Instance{}, errShape
	}
	addr := parsed.Addr()
	if addr.Zone() != "" {
		return registry.Instance{}, errZone
	}
	addr = addr.Unmap()
	switch {
	case parsed.Port() == 0:
		return registry.Instance{}, errPort
	case addr.IsUnspecified():
		return registry.Instance{}, errUnspecified
	case addr.IsMulticast():
		return registry.Instance{}, errMulticast
	}
	return registry.Instance{Addr: netip.AddrPortFrom(addr, parsed.Port())}, nil
}

// decodeAll separates the names of usable instances from those to be skipped.
func decodeAll(names []string, decode func(string) (registry.Instance, error)) (instances []registry.Instance, usable, skipped []string) {
	instances = make([]registry.Instance, 0, len(names))
	usable = make([]string, 0, len(names))
	for _, name := range names {
		if instance, err := decode(name); err != nil {
			skipped = append(skipped, name)
		} else {
			instances = append(instances, instance)
			usable = append(usable, name)
		}
	}
	return registry.Sort(instances), usable, skipped
}
