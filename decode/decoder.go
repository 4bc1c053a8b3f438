package decode

import (
	"bytes"
	"strings"

	"github.com/haproxy-zk/haproxy-zk/registry"
)

// Need is whether the data of a child has to be read.
type Need int

const (
	// Never is a child whose name says everything.
	Never Need = iota
	// Sample is a child whose name is sufficient unless such children have data; reading
	// one of them is enough to find out.
	Sample
	// Always is a child whose data has to be read.
	Always
)

// Decoder decodes the children of one group. The zero value decodes [IPPort].
type Decoder struct{ options Options }

// New returns a decoder. The format regex needs an expression of [ParseRegex].
func New(o Options) Decoder { return Decoder{o} }

// Same reports whether two decoders decode alike.
func (d Decoder) Same(other Decoder) bool { return d.options.Same(other.options) }

// Reads reports whether the decoder needs the data of any child.
func (d Decoder) Reads() bool {
	switch d.options.Format {
	case Curator, ServerSet, Nerve, Data, Auto:
		return true
	}
	return false
}

// Needs returns whether the data of a child has to be read.
func (d Decoder) Needs(name string) Need {
	switch {
	case !d.Reads() || Silent(name):
		return Never
	case d.options.Format == Nerve && strings.HasPrefix(name, base64Prefix):
		return Never
	case d.options.Format != Auto:
		return Always
	case isURL(name) || strings.HasPrefix(name, base64Prefix):
		return Never
	}
	if _, err := Address(name); err == nil {
		return Sample
	}
	if bare, cut := cutSequence(name); cut {
		if _, err := Address(bare); err == nil {
			return Never
		}
	}
	return Always
}

// Telling reports whether a child for which Needs returns [Sample] has data that its name
// does not replace, so that the data of all such children must be read.
func Telling(data []byte) bool { return guess(data) == Curator }

// Decode decodes a child. data is nil if it was not read. If the reason has no kind, the
// child is known not to be an instance of the group.
func (d Decoder) Decode(name string, data []byte) (Registration, *Reason) {
	r, reason := d.decode(name, data)
	if reason == nil && len(d.options.Match) > 0 && r.Format.plain() {
		return Registration{}, silent()
	}
	return r, reason
}

func (d Decoder) decode(name string, data []byte) (Registration, *Reason) {
	if d.options.Format != Regex && d.options.Format.given() && Silent(name) {
		return Registration{}, silent()
	}
	switch d.options.Format {
	case Name:
		return named(name)
	case Regex:
		return d.options.matched(name)
	case URL:
		return d.options.provider(name)
	case Curator:
		if len(bytes.TrimSpace(data)) == 0 && !isUUID(name) {
			return Registration{}, silent() // a parent
		}
		return d.options.instance(data)
	case ServerSet:
		return d.options.member(data)
	case Nerve:
		return d.options.nerve(name, data)
	case Data:
		return d.options.plain(data)
	case Auto:
		return d.options.auto(name, data)
	}
	i, err := Address(name)
	if err != nil {
		reason, _ := err.(*Reason) //nolint:errorlint // it is one
		return Registration{}, reason
	}
	return Registration{Addr: i.Addr.Addr(), Port: i.Addr.Port(), Format: IPPort}, nil
}

// auto decodes a child by the format that its name and data have.
func (o Options) auto(name string, data []byte) (Registration, *Reason) {
	switch {
	case isURL(name):
		return o.provider(name)
	case strings.HasPrefix(name, base64Prefix):
		return o.nerve(name, nil)
	}
	format := guess(data)
	if i, err := Address(name); err == nil && format != Curator {
		return Registration{Addr: i.Addr.Addr(), Port: i.Addr.Port(), Format: IPPort}, nil
	}
	switch format {
	case Curator:
		return o.instance(data)
	case ServerSet:
		return o.member(data)
	case Nerve:
		return o.nerve(name, data)
	}
	r, reason := named(name)
	switch {
	case reason == nil:
		return r, nil
	case len(bytes.TrimSpace(data)) > 0:
		r, wrong := o.plain(data)
		if wrong == nil || wrong.Kind == registry.Protocol {
			return r, wrong
		}
		if format == Auto {
			return Registration{}, kindOf(registry.Payload, "its data is JSON of no known format")
		}
		return Registration{}, kindOf(registry.Payload, "neither its name nor its data has a known format")
	}
	if reason.Kind != registry.Other && reason.Kind != registry.Address && reason.Kind != registry.HostName {
		return Registration{}, kindOf(registry.Payload, "the node has no data, and its name has no address")
	}
	return Registration{}, reason
}

// guess returns the format of data: that of its JSON, [Auto] for any other JSON, and
// [Data] for anything else.
func guess(data []byte) Format {
	data = bytes.TrimSpace(data)
	if len(data) == 0 || data[0] != '{' {
		return Data
	}
	var keys object
	if payload(data, &keys) != nil {
		return Auto
	}
	has := func(key string) bool { _, known := keys[key]; return known }
	switch {
	case has("serviceEndpoint"):
		return ServerSet
	case has("serviceType"), has("uriSpec"), has("sslPort"), has("address") && has("port"), has("address") && has("payload"):
		return Curator
	case has("host"):
		return Nerve
	}
	return Auto
}

// Silent reports whether a child is known not to be an instance: what Dubbo keeps beside
// its providers, and the weights of a ServerSet.
func Silent(name string) bool {
	switch name {
	case "configurators", "routers", "consumers", "providers", "mapping", "metadata", "config", "services":
		return true
	}
	return strings.HasPrefix(name, "vector_")
}
