package syncer

import (
	"errors"
	"net/netip"
	"slices"

	"github.com/haproxy-zk/haproxy-zk/decode"
	"github.com/haproxy-zk/haproxy-zk/registry"
)

var (
	errOwn       = errors.New("haproxy-zk or its HAProxy listens there itself, requests would loop")
	errDenied    = errors.New("its address is in deny_networks")
	errNotAmong  = errors.New("its address is not in allow_networks")
	errLinkLocal = errors.New("the address is link-local, which is valid on one link only; to use it, add its network to allow_networks")
)

// Admission decides which instances may serve: everybody with write access to ZooKeeper
// may register any address. The zero value admits all but link-local addresses.
type Admission struct {
	// Allow are the networks that instances must be in; empty allows all. A link-local
	// address needs a network that is itself link-local.
	Allow []netip.Prefix
	// Deny are the networks that instances must not be in; it has precedence over Allow.
	Deny []netip.Prefix
	// Own reports whether this daemon or its HAProxys listen on an address; nil means
	// that they listen on none.
	Own func(netip.AddrPort) bool
}

// Check returns why an instance is rejected, or nil if it is admitted. Any goroutine may
// call it.
func (a Admission) Check(i registry.Instance) error {
	addr := i.Addr.Addr()
	has := func(n netip.Prefix) bool { return n.Contains(addr) }
	hasAsLink := func(n netip.Prefix) bool { return n.Addr().IsLinkLocalUnicast() && n.Contains(addr) }
	switch {
	case slices.ContainsFunc(a.Deny, has):
		return errDenied
	case addr.IsLinkLocalUnicast() && !slices.ContainsFunc(a.Allow, hasAsLink):
		return errLinkLocal
	case len(a.Allow) > 0 && !slices.ContainsFunc(a.Allow, has):
		return errNotAmong
	case a.Own != nil && a.Own(i.Addr):
		return errOwn
	}
	return nil
}

// Decoder returns a function that decodes an instance like [decode.Address] and then
// checks that the instance is admitted; a nil admit admits all.
func Decoder(admit func(registry.Instance) error) func(string) (registry.Instance, error) {
	return func(name string) (registry.Instance, error) {
		i, err := decode.Address(name)
		if err == nil && admit != nil {
			err = admit(i)
		}
		if err != nil {
			return registry.Instance{}, err
		}
		return i, nil
	}
}
