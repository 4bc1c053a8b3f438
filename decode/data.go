package decode

import (
	"strings"

	"github.com/haproxy-zk/haproxy-zk/registry"
)

const (
	// maxPlain is more than a URL scheme, the longest host name, a port and a weight.
	maxPlain = 512
	// armeriaWeight is the weight of an instance that registers none. See Endpoint of
	// Armeria.
	armeriaWeight = 1000
)

// plain decodes data of the form `host:port` or `host:port:weight`. A scheme before it,
// unless it is https, and a path after it are ignored.
func (o Options) plain(data []byte) (Registration, *Reason) {
	if len(data) > maxPlain {
		return Registration{}, kindOf(registry.Payload, "its data is longer than a host and a port")
	}
	text := strings.TrimSpace(string(data))
	if text == "" {
		return Registration{}, kindOf(registry.Payload, "the node has no data")
	}
	if scheme, rest, isURL := strings.Cut(text, "://"); isURL && isOf(scheme, letters+digits+"+.-") {
		if !o.TLS && strings.EqualFold(scheme, tlsProtocol) {
			return Registration{}, tlsOnly("its URL is for TLS")
		}
		text, _, _ = strings.Cut(rest, "/")
	}
	r, wrong := Registration{Format: Data}, kindOf(registry.Payload, "its data is not host:port or host:port:weight")
	host, rest, weighs := cutWeight(text)
	if weighs {
		var err error
		if r.Terms, err = parseWeight(r.Terms, rest, armeriaWeight); err != nil {
			return Registration{}, wrong
		}
		text = host
	}
	host, port, err := cutPort(text)
	if err != nil {
		return Registration{}, wrong
	}
	return r.at(host, port)
}

// cutWeight splits `host:port:weight`; weighs is false if there is no weight.
func cutWeight(text string) (hostPort, weight string, weighs bool) {
	_, after, bracketed := strings.Cut(text, "]:")
	if !bracketed {
		_, after, _ = strings.Cut(text, ":")
	}
	_, weight, weighs = strings.Cut(after, ":")
	return strings.TrimSuffix(text, ":"+weight), weight, weighs
}
