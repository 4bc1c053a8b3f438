package register

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strconv"
	"strings"
)

// Address is an address as it is written: IP:PORT, or only a port. The zero value is the
// port of the check.
type Address struct {
	ip   netip.Addr // invalid: this machine's
	port uint16     // 0: that of the check
}

var errAddress = errors.New("it is neither IP:PORT, with IPv6 in brackets, nor :PORT")

// ParseAddress parses an address; an empty text is the zero value.
func ParseAddress(text string) (Address, error) {
	if text == "" {
		return Address{}, nil
	}
	host, number, err := net.SplitHostPort(text)
	if err != nil {
		return Address{}, errAddress
	}
	port, err := strconv.ParseUint(number, 10, 16)
	if err != nil || port == 0 {
		return Address{}, fmt.Errorf("its port is not a number from 1 to 65535: %w", errAddress)
	}
	a := Address{port: uint16(port)}
	if host == "" {
		return a, nil
	}
	ip, err := netip.ParseAddr(host)
	switch {
	case err != nil || ip.Zone() != "":
		return Address{}, errAddress
	case ip.IsUnspecified() || ip.IsMulticast():
		return Address{}, fmt.Errorf("load balancers cannot connect to it: %w", errAddress)
	}
	a.ip = ip.Unmap()
	return a, nil
}

// Complete returns the address with the port of the check if it has none. The error means
// that neither has one.
func (a Address) Complete(c Check) (Address, error) {
	if a.port == 0 {
		a.port = c.Port()
	}
	if a.port == 0 {
		return a, errors.New("there is no port: set the address, or a check with a port")
	}
	return a, nil
}

// locate returns the address to register. Without an IP it is the one from which this
// machine reaches the first of servers, host:port, whose name can be resolved; no packet
// is sent to it.
func (a Address) locate(ctx context.Context, servers []string) (netip.AddrPort, error) {
	if a.ip.IsValid() {
		return netip.AddrPortFrom(a.ip, a.port), nil
	}
	var problems []error
	for _, server := range servers {
		conn, err := new(net.Dialer).DialContext(ctx, "udp", server)
		if err != nil {
			problems = append(problems, err)
			continue
		}
		local, err := netip.ParseAddrPort(conn.LocalAddr().String())
		_ = conn.Close()
		if err == nil {
			return netip.AddrPortFrom(local.Addr().Unmap().WithZone(""), a.port), nil
		}
		problems = append(problems, err)
	}
	return netip.AddrPort{}, fmt.Errorf("find the own address on the way to %s: %w", strings.Join(servers, ", "), errors.Join(problems...))
}
