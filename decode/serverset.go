package decode

import "github.com/haproxy-zk/haproxy-zk/registry"

// member is what a ServerSet writes. See Entry of Finagle's serverset2.
type member struct {
	ServiceEndpoint     endpoint            `json:"serviceEndpoint"`
	AdditionalEndpoints map[string]endpoint `json:"additionalEndpoints"`
	Status              string              `json:"status"`
	Metadata            object              `json:"metadata"`
}

type endpoint struct {
	Host string `json:"host"`
	Port number `json:"port"`
}

// member decodes the JSON of a ServerSet.
func (o Options) member(data []byte) (Registration, *Reason) {
	var m member
	if reason := payload(data, &m); reason != nil {
		return Registration{}, reason
	}
	if !o.matches(m.Metadata.text) {
		return Registration{}, silent()
	}
	at := m.ServiceEndpoint
	if o.PortName != "" {
		var known bool
		if at, known = m.AdditionalEndpoints[o.PortName]; !known {
			return Registration{}, kindOf(registry.Protocol, "it has no port of that name")
		}
	}
	r, reason := Registration{Format: ServerSet}.at(at.Host, at.Port.port())
	if reason != nil {
		return Registration{}, reason
	}
	if r.Terms, reason = status(r.Terms, m.Status); reason != nil {
		return Registration{}, reason
	}
	return r, nil
}
