package decode

import (
	"strings"

	"github.com/haproxy-zk/haproxy-zk/registry"
)

// The names of ports for TLS.
const (
	tlsProtocol = "https"
	tlsPortName = "sslPort"
)

// ChoosesTLS reports whether the options choose a port that can only be for TLS.
func (o Options) ChoosesTLS() bool {
	return o.PortName == tlsPortName || o.PortName == "" && strings.EqualFold(o.Protocol, tlsProtocol)
}

// tlsOnly is the reason for an instance that takes TLS only, in a group whose servers do
// not speak it.
func tlsOnly(problem string) *Reason {
	return &Reason{
		Kind: registry.Protocol, Problem: problem,
		Remedy: "set server_tls, if all instances of the group take TLS",
	}
}
