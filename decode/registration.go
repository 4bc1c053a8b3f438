package decode

import (
	"fmt"
	"math"
	"net/netip"
	"strconv"
	"strings"

	"github.com/haproxy-zk/haproxy-zk/registry"
)

// Registration is what one child says.
type Registration struct {
	// Addr is the instance's address; invalid if the registration has a host name.
	Addr netip.Addr
	// Host is the host name, in lower case; empty if there is an address.
	Host string
	// Port is 1 to 65535.
	Port uint16
	// Terms are those after the warmup.
	Terms  registry.Terms
	Warmup Warmup
	// Format is the format that was read, never [Auto].
	Format Format
}

// Instance returns the instance of a registration with an address.
func (r Registration) Instance() registry.Instance {
	return registry.Instance{Addr: netip.AddrPortFrom(r.Addr, r.Port)}
}

// Reason is why a child is not an instance.
type Reason struct {
	// Kind is empty if the child is known not to be one, so that nothing is to be said.
	Kind registry.FindingKind
	// Problem is a phrase about what is wrong, Remedy about what to do. Neither has text
	// from outside.
	Problem, Remedy string
}

// Error returns the problem.
func (r *Reason) Error() string { return r.Problem }

// silent is the reason of children that are known not to be instances.
func silent() *Reason { return &Reason{Problem: "not a registration"} }

const (
	giveAddress  = "register instances by names of the form ip:port"
	givePayload  = "correct what the instance registers, or set zk.format to what it writes"
	giveProtocol = "set protocol, or port_name, to one that the instances offer"
)

// kindOf returns a reason with the usual remedy for its kind.
func kindOf(kind registry.FindingKind, problem string) *Reason {
	remedy := givePayload
	switch kind {
	case registry.Protocol:
		remedy = giveProtocol
	case registry.Waiting:
		remedy = "nothing, if the application is about to say that it serves"
	}
	return &Reason{Kind: kind, Problem: problem, Remedy: remedy}
}

// Unresolved is the reason for a host name without an address because of err, which must
// have no text from outside.
func Unresolved(err error) *Reason {
	return &Reason{Kind: registry.Unresolved, Problem: err.Error(), Remedy: "register an IP address, or correct the name or its name servers"}
}

// maxHost is the longest host name of DNS.
const maxHost = 253

// at completes a registration with a host, which is an address or a name.
func (r Registration) at(host string, port uint64) (Registration, *Reason) {
	if port == 0 || port > math.MaxUint16 {
		return Registration{}, kindOf(registry.Address, "no port between 1 and 65535")
	}
	r.Port = uint16(port)
	bare := host
	if inner, bracketed := strings.CutPrefix(host, "["); bracketed {
		if bare, bracketed = strings.CutSuffix(inner, "]"); !bracketed || !strings.Contains(bare, ":") {
			return Registration{}, kindOf(registry.Address, errShape.Error())
		}
	}
	if addr, err := netip.ParseAddr(bare); err == nil {
		if r.Addr, err = usable(addr); err != nil {
			return Registration{}, kindOf(registry.Address, err.Error())
		}
		return r, nil
	}
	if !isHost(host) {
		return Registration{}, kindOf(registry.Address, "neither an address nor a host name")
	}
	r.Host = strings.ToLower(strings.TrimSuffix(host, "."))
	return r, nil
}

// isHost reports whether text is a host name that may be looked up.
func isHost(text string) bool {
	if len(text) > maxHost || !isOf(text, letters+digits+"_.-") || isOf(text, digits+".") {
		return false
	}
	for label := range strings.SplitSeq(strings.TrimSuffix(text, "."), ".") {
		if label == "" || len(label) > 63 || strings.HasPrefix(label, "-") || strings.HasSuffix(label, "-") {
			return false
		}
	}
	return true
}

// cutPort splits `host:port`, where an IPv6 address is in brackets.
func cutPort(text string) (host string, port uint64, err error) {
	at := strings.LastIndexByte(text, ':')
	if at < 1 {
		return "", 0, errShape
	}
	host = text[:at]
	if strings.Contains(host, ":") && !strings.HasPrefix(host, "[") {
		return "", 0, errShape
	}
	if port, err = parsePort(text[at+1:]); err != nil {
		return "", 0, err
	}
	return host, port, nil
}

func parsePort(text string) (uint64, error) {
	if !isOf(text, digits) {
		return 0, errShape
	}
	port, err := strconv.ParseUint(text, 10, 16)
	if err != nil || port == 0 {
		return 0, errPort
	}
	return port, nil
}

// weigh returns the terms of a weight, of which full is that of an instance without one.
// Nothing and less than nothing is no request for new clients.
func weigh(t registry.Terms, weight, full float64) registry.Terms {
	switch share := math.Round(100 * weight / full); {
	case math.IsNaN(share):
	case weight <= 0:
		t.Drain = true
	case share == 100:
		t.Weight = 0
	default:
		t.Weight = int16(min(max(share, 1), registry.MostWeight))
	}
	return t
}

// parseWeight is weigh for text.
func parseWeight(t registry.Terms, text string, full float64) (registry.Terms, error) {
	weight, err := strconv.ParseFloat(text, 64)
	if err != nil || math.IsNaN(weight) || math.IsInf(weight, 0) {
		return t, fmt.Errorf("the weight is not a number")
	}
	return weigh(t, weight, full), nil
}

// matches reports whether metadata has all that is wanted.
func (o Options) matches(has func(key string) (string, bool)) bool {
	for key, want := range o.Match {
		if value, known := has(key); !known || value != want {
			return false
		}
	}
	return true
}

// status returns how an instance with a status is served; nil if it is.
//
// The words are those of Spring Cloud's and Eureka's instance status, of the status of a
// ServerSet's member, and of Consul.
func status(t registry.Terms, word string) (registry.Terms, *Reason) {
	switch strings.ToUpper(word) {
	case "", "UP", "ALIVE", "WARNING", "PASSING":
	case "OUT_OF_SERVICE", "STOPPING", "DRAINING":
		t.Drain = true
	case "STARTING", "DOWN", "DEAD", "STOPPED", "UNKNOWN":
		return t, kindOf(registry.Waiting, "its registration says "+strings.ToUpper(word))
	default:
		return t, kindOf(registry.Payload, "its status is not known")
	}
	return t, nil
}
