package plan

import (
	"cmp"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"slices"

	"golang.org/x/sys/unix"

	"github.com/haproxy-zk/haproxy-zk/ownfile"
)

// Vacant returns an error if another process listens on one of these addresses. HAProxy
// itself would not notice one of the same user: both set SO_REUSEPORT, and the kernel would
// give half of the connections to each. Everything else that is wrong with an address is
// HAProxy's to report. Addresses that overlap with own, on which processes of this
// haproxy-zk listen already, are not tried.
func Vacant(listens, own []Listen) error {
	var occupied []error
	for _, l := range listens {
		if l.Apart() || slices.ContainsFunc(own, l.overlaps) {
			continue
		}
		if err := bind(l); errors.Is(err, unix.EADDRINUSE) {
			_, port, _ := net.SplitHostPort(l.Addr)
			occupied = append(occupied, fmt.Errorf("cannot listen on %s: address in use; stop what listens there (`ss -ltnp 'sport = :%s'` names it), or choose another port", l.Addr, port))
		}
	}
	return errors.Join(occupied...)
}

// maxConfFile is far above the configuration of 100,000 servers.
const maxConfFile = 256 << 20

// Listening returns where HAProxy listens, and will once the plan is in effect.
func (pl *Plan) Listening() []Listen {
	listens := Listens(pl.Render())
	// The file is that of the running HAProxy; without one nothing runs.
	if text, err := (ownfile.Opener{}).Read(pl.ConfFile, maxConfFile); err == nil {
		listens = append(listens, Listens(text)...)
	}
	return listens
}

// overlaps reports whether a socket may accept connections to both addresses. One of IPv6
// may accept IPv4 too, by `v4v6`.
func (l Listen) overlaps(other Listen) bool {
	host, port, err1 := net.SplitHostPort(l.Addr)
	otherHost, otherPort, err2 := net.SplitHostPort(other.Addr)
	if err1 != nil || err2 != nil || port != otherPort {
		return false
	}
	all := func(host string) bool { return host == "" || net.ParseIP(host).IsUnspecified() }
	return host == otherHost || all(host) || all(otherHost)
}

// bind binds a socket to an address for a moment. It does not listen: clients would be
// accepted, and cut.
func bind(l Listen) error {
	family, everywhere := unix.AF_INET, netip.IPv4Unspecified()
	if l.Network == "tcp6" {
		family, everywhere = unix.AF_INET6, netip.IPv6Unspecified()
	}
	host, port, err := net.SplitHostPort(l.Addr)
	if err != nil {
		return err
	}
	addr, err := netip.ParseAddrPort(net.JoinHostPort(cmp.Or(host, everywhere.String()), port))
	if err != nil {
		return err
	}
	fd, err := unix.Socket(family, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return os.NewSyscallError("socket", err)
	}
	defer unix.Close(fd)
	// Connections that ended a moment ago do not count.
	if err := unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_REUSEADDR, 1); err != nil {
		return os.NewSyscallError("setsockopt", err)
	}
	if family == unix.AF_INET {
		return os.NewSyscallError("bind", unix.Bind(fd, &unix.SockaddrInet4{Port: int(addr.Port()), Addr: addr.Addr().As4()}))
	}
	if err := unix.SetsockoptInt(fd, unix.IPPROTO_IPV6, unix.IPV6_V6ONLY, 1); err != nil {
		return os.NewSyscallError("setsockopt", err)
	}
	return os.NewSyscallError("bind", unix.Bind(fd, &unix.SockaddrInet6{Port: int(addr.Port()), Addr: addr.Addr().As16()}))
}
