package decode

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
)

// Format is a way in which applications register.
type Format string

// The formats.
const (
	// IPPort is a child named `ip:port`, and nothing else.
	IPPort Format = "ip:port"
	// Name is a child named `ip:port` or `host:port`, with or without the sequence number
	// of ZooKeeper at its end.
	Name Format = "name"
	// Regex is a child whose name matches an expression with the groups host and port.
	Regex Format = "regex"
	// URL is a child named by an encoded URL: Dubbo's interfaces, SOFA RPC.
	URL Format = "url"
	// Curator is the JSON of Curator's service discovery, with the payloads of Spring
	// Cloud, Dubbo 3 and ServiceComb.
	Curator Format = "curator"
	// ServerSet is the JSON of Finagle, Aurora and Armeria.
	ServerSet Format = "serverset"
	// Nerve is the JSON of Nerve.
	Nerve Format = "nerve"
	// Data is `host:port` or `host:port:weight` in the data: Armeria, go-kit.
	Data Format = "data"
	// Auto decides for each child.
	Auto Format = "auto"
)

// Formats returns all formats.
func Formats() []Format {
	return []Format{IPPort, Name, Regex, URL, Curator, ServerSet, Nerve, Data, Auto}
}

// ParseFormat parses the name of a format.
func ParseFormat(text string) (Format, error) {
	if f := Format(text); slices.Contains(Formats(), f) {
		return f, nil
	}
	return "", fmt.Errorf("%.80q is not known", text)
}

// given reports whether a format was asked for: [IPPort] takes no notice of what other
// formats know.
func (f Format) given() bool { return f != "" && f != IPPort }

// plain reports whether a registration of this format has no metadata.
func (f Format) plain() bool { return f == "" || f == IPPort || f == Name || f == Data }

// Matches reports whether [Options.Match] can apply to registrations of this format.
func (f Format) Matches() bool { return !f.plain() }

// Weighs reports whether a registration of this format can have a weight. [Auto] and
// [ServerSet], whose have none, do not count.
func (f Format) Weighs(r *regexp.Regexp) bool {
	switch f {
	case URL, Curator, Nerve, Data:
		return true
	case Regex:
		return r != nil && slices.Contains(r.SubexpNames(), groupWeight)
	}
	return false
}

// The groups of the expression of [Regex].
const (
	groupHost   = "host"
	groupPort   = "port"
	groupWeight = "weight"
)

// ParseRegex compiles the expression of [Regex], which must have the groups host and
// port and may have weight.
func ParseRegex(text string) (*regexp.Regexp, error) {
	r, err := regexp.Compile(text)
	if err != nil {
		return nil, fmt.Errorf("%.200q cannot be compiled: %w", text, err)
	}
	for _, name := range []string{groupHost, groupPort} {
		if !slices.Contains(r.SubexpNames(), name) {
			return nil, fmt.Errorf("%.200q has no group %s", text, name)
		}
	}
	return r, nil
}

// Options are what a group expects of its registrations.
type Options struct {
	// Format is how they are read; empty is [IPPort].
	Format Format
	// Regex is the expression of the format regex.
	Regex *regexp.Regexp
	// PortName chooses among several ports of an instance: that of this name.
	PortName string
	// Protocol chooses among several: tri, rest, dubbo, bolt, https and so on. Empty means
	// one that speaks HTTP, if the format knows protocols.
	Protocol string
	// AnyProtocol is true if an empty Protocol means any.
	AnyProtocol bool
	// TLS is true if the instances are connected to by TLS: of an instance with a port for
	// that, it is the one that is used.
	TLS bool
	// Match has the metadata that an instance must have.
	Match map[string]string
}

// Same reports whether two options decode alike.
func (o Options) Same(other Options) bool {
	text := func(r *regexp.Regexp) string {
		if r == nil {
			return ""
		}
		return r.String()
	}
	return o.Format == other.Format && text(o.Regex) == text(other.Regex) && o.PortName == other.PortName && o.Protocol == other.Protocol &&
		o.AnyProtocol == other.AnyProtocol && o.TLS == other.TLS && maps.Equal(o.Match, other.Match)
}

// speaksHTTP reports whether a protocol of an RPC framework is HTTP.
func speaksHTTP(protocol string) bool {
	switch strings.ToLower(protocol) {
	case "tri", "rest", "http", "h2", "h2c", "grpc":
		return true
	}
	return false
}

// takes reports whether a protocol is wanted.
func (o Options) takes(protocol string) bool {
	if o.Protocol == "" {
		return o.AnyProtocol || speaksHTTP(protocol) || o.TLS && strings.EqualFold(protocol, tlsProtocol)
	}
	return strings.EqualFold(o.Protocol, protocol)
}
