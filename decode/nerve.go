package decode

import (
	"encoding/base64"
	"strings"

	"github.com/haproxy-zk/haproxy-zk/registry"
)

// reported is what Nerve reports. See the ZooKeeper watcher of Synapse.
type reported struct {
	Host   string `json:"host"`
	Port   number `json:"port"`
	Weight number `json:"weight"`
	Labels object `json:"labels"`
	Ports  object `json:"ports"`
}

const base64Prefix = "base64_"

// nerve decodes the JSON of Nerve, which is the data, or the name after base64_. Without
// either, the name has host and port.
func (o Options) nerve(name string, data []byte) (Registration, *Reason) {
	if encoded, inName := strings.CutPrefix(name, base64Prefix); inName {
		if rest, cut := cutSequence(encoded); cut {
			encoded = rest
		}
		if len(encoded) > MaxData {
			return Registration{}, kindOf(registry.Payload, "its name is longer than 1 MB")
		}
		encoded = strings.TrimRight(strings.NewReplacer("-", "+", "_", "/").Replace(encoded), "=")
		decoded, err := base64.RawStdEncoding.DecodeString(encoded)
		if err != nil {
			return Registration{}, kindOf(registry.Payload, "its name is not base64")
		}
		data = decoded
	}
	if len(data) == 0 {
		r, reason := named(name)
		r.Format = Nerve
		if reason != nil {
			return Registration{}, reason
		}
		return r, nil
	}
	var n reported
	if reason := payload(data, &n); reason != nil {
		return Registration{}, reason
	}
	if !o.matches(n.Labels.text) {
		return Registration{}, silent()
	}
	port := n.Port.port()
	if !n.Port.given {
		if host, inHost, err := cutPort(n.Host); err == nil {
			n.Host, port = host, inHost
		}
	}
	if o.PortName != "" {
		if port = n.Ports.port(o.PortName); port == 0 {
			return Registration{}, kindOf(registry.Protocol, "it has no port of that name")
		}
	}
	r, reason := Registration{Format: Nerve}.at(n.Host, port)
	if reason != nil {
		return Registration{}, reason
	}
	if n.Weight.given {
		if !n.Weight.valid {
			return Registration{}, kindOf(registry.Payload, "the weight is not a number")
		}
		r.Terms = weigh(r.Terms, n.Weight.value, fullWeight)
	}
	return r, nil
}
