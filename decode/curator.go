package decode

import (
	"encoding/json"
	"net/url"
	"strconv"
	"strings"

	"github.com/haproxy-zk/haproxy-zk/registry"
)

// serviceInstance is what Curator's service discovery writes. See ServiceInstance and
// JsonInstanceSerializer of Curator.
type serviceInstance struct {
	Address string          `json:"address"`
	Port    number          `json:"port"`
	SSLPort number          `json:"sslPort"`
	Enabled *bool           `json:"enabled"`
	Payload json.RawMessage `json:"payload"`
	// Registered is in milliseconds since 1970.
	Registered number `json:"registrationTimeUTC"`
}

// details is the payload of Spring Cloud, Dubbo and ServiceComb. See ZookeeperInstance of
// each.
type details struct {
	Metadata   object   `json:"metadata"`
	Properties object   `json:"properties"`
	Endpoints  []string `json:"endpoints"`
	Version    string   `json:"version"`
}

// instance decodes the JSON of Curator.
func (o Options) instance(data []byte) (Registration, *Reason) {
	var s serviceInstance
	if reason := payload(data, &s); reason != nil {
		return Registration{}, reason
	}
	var d details
	if payload := s.Payload; len(payload) > 0 && payload[0] == '{' {
		if err := json.Unmarshal(payload, &d); err != nil {
			return Registration{}, kindOf(registry.Payload, "its payload is not one that is known")
		}
	}
	if !o.matches(d.has) {
		return Registration{}, silent()
	}
	host, port, reason := o.choosePort(s, d)
	if reason != nil {
		return Registration{}, reason
	}
	r, reason := Registration{Format: Curator}.at(host, port)
	if reason != nil {
		return Registration{}, reason
	}
	if r.Terms, reason = d.terms(r.Terms); reason != nil {
		return Registration{}, reason
	}
	r.Warmup = d.warmup(s.Registered)
	if s.Enabled != nil && !*s.Enabled {
		r.Terms.Drain = true
	}
	return r, nil
}

// has returns an entry of the metadata.
func (d details) has(key string) (string, bool) {
	if value, known := d.Metadata.text(key); known {
		return value, true
	}
	if value, known := d.Properties.text(key); known {
		return value, true
	}
	if key == "version" && d.Version != "" {
		return d.Version, true
	}
	return "", false
}

// terms reads status and weight of the metadata.
func (d details) terms(t registry.Terms) (registry.Terms, *Reason) {
	if text, known := d.has("weight"); known {
		var err error
		if t, err = parseWeight(t, strings.TrimSpace(text), fullWeight); err != nil {
			return t, kindOf(registry.Payload, err.Error())
		}
	}
	word, _ := d.has("instance_status")
	return status(t, word)
}

// warmup reads warmup of the metadata, which begins at its timestamp, as in Dubbo, or at the
// registration.
func (d details) warmup(registered number) Warmup {
	length, given := d.has("warmup")
	if !given {
		return Warmup{}
	}
	start, given := d.has("timestamp")
	if !given {
		start = strconv.FormatFloat(registered.value, 'f', 0, 64)
	}
	return growing(start, length)
}

// choosePort returns the host and port that the group wants.
func (o Options) choosePort(s serviceInstance, d details) (host string, port uint64, reason *Reason) {
	host = s.Address
	switch {
	case o.PortName == tlsPortName:
		port = s.SSLPort.port()
	case o.PortName != "":
		text, _ := d.has(o.PortName)
		port, _ = parsePort(text) // 0 if it is none
	case d.Metadata["dubbo.endpoints"] != nil:
		port, reason = o.dubboPort(d.Metadata)
	case len(d.Endpoints) > 0:
		host, port, reason = o.endpoint(d.Endpoints)
	case strings.EqualFold(o.Protocol, tlsProtocol):
		port = s.SSLPort.port()
	case o.TLS && s.SSLPort.port() != 0:
		port = s.SSLPort.port()
	default:
		if port = s.Port.port(); port == 0 && s.SSLPort.port() != 0 {
			reason = tlsOnly("it has a port for TLS only")
		}
	}
	switch {
	case reason != nil:
		return "", 0, reason
	case port == 0 && (o.PortName != "" || o.Protocol != ""):
		_, reason = o.otherProtocol("it has no port of that name")
		if o.PortName != "" {
			reason = kindOf(registry.Protocol, "it has no port of that name")
		}
		return "", 0, reason
	}
	return host, port, nil
}

// dubboPort chooses among the ports that Dubbo lists in its metadata, as JSON inside of
// JSON.
func (o Options) dubboPort(metadata object) (port uint64, reason *Reason) {
	text, _ := metadata.text("dubbo.endpoints")
	var endpoints []struct {
		Port     number `json:"port"`
		Protocol string `json:"protocol"`
	}
	if reason := payload([]byte(text), &endpoints); reason != nil {
		return 0, kindOf(registry.Payload, "its dubbo.endpoints are not the JSON that Dubbo writes")
	}
	for _, e := range endpoints {
		if port := e.Port.port(); port != 0 && o.takes(e.Protocol) {
			return port, nil
		}
	}
	_, reason = o.otherProtocol("its dubbo.endpoints have no protocol that is HTTP, and protocol does not name one")
	return 0, reason
}

// endpoint chooses among the endpoints of ServiceComb.
func (o Options) endpoint(endpoints []string) (host string, port uint64, reason *Reason) {
	_, reason = o.otherProtocol("its endpoints have no protocol that is HTTP, and protocol does not name one")
	for _, text := range endpoints {
		scheme, rest, _ := strings.Cut(text, "://")
		if !o.takes(scheme) {
			continue
		}
		rest, parameters, _ := strings.Cut(rest, "?")
		authority, _, _ := strings.Cut(rest, "/")
		host, port, err := cutPort(authority)
		if err != nil {
			return "", 0, kindOf(registry.Address, "its endpoint has no host and port")
		}
		if query, err := url.ParseQuery(parameters); err == nil && query.Get("sslEnabled") == "true" && !o.TLS {
			reason = tlsOnly("its endpoint is for TLS")
			continue
		}
		return host, port, nil
	}
	return "", 0, reason
}
