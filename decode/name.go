package decode

import (
	"slices"
	"strings"

	"github.com/haproxy-zk/haproxy-zk/registry"
)

// sequence is the length of ZooKeeper's sequence number.
const sequence = len("0000000000")

// cutSequence removes ZooKeeper's sequence number, and the character before it, from a
// name.
func cutSequence(name string) (rest string, cut bool) {
	if !isSequential(name) {
		return name, false
	}
	rest = name[:len(name)-sequence]
	if rest == "" || !strings.ContainsRune("-_.", rune(rest[len(rest)-1])) {
		return name, false
	}
	return rest[:len(rest)-1], true
}

// cutProtection removes Curator's prefix of protected nodes: `_c_GUID-`.
func cutProtection(name string) string {
	rest, protected := strings.CutPrefix(name, "_c_")
	if !protected {
		return name
	}
	for _, length := range []int{len("00000000-0000-0000-0000-000000000000"), len("00000000000000000000000000000000")} {
		if len(rest) > length && rest[length] == '-' && isOf(rest[:length], digits+"abcdefABCDEF-") {
			return rest[length+1:]
		}
	}
	return name
}

// named decodes `ip:port` or `host:port`, with or without a sequence number.
func named(name string) (Registration, *Reason) {
	r := Registration{Format: Name}
	bare, _ := cutSequence(cutProtection(name))
	if i, err := Address(bare); err == nil {
		r.Addr, r.Port = i.Addr.Addr(), i.Addr.Port()
		return r, nil
	}
	// Shape knows addresses that are none, which must not be looked up as names.
	if Shape(bare) == registry.HostName {
		host, port, err := cutPort(bare)
		if err != nil {
			return Registration{}, kindOf(registry.Address, err.Error())
		}
		return r.at(host, port)
	}
	// The names of Nerve: HOST_PORT_SEQUENCE.
	if at := strings.LastIndexByte(bare, '_'); bare != name && at > 0 {
		if port, err := parsePort(bare[at+1:]); err == nil {
			if r, reason := r.at(bare[:at], port); reason == nil {
				return r, nil
			}
		}
	}
	return Registration{}, shaped(name, errShape)
}

// maxMatched bounds the names that an expression is applied to.
const maxMatched = 4096

// matched decodes a name by the expression of the format regex.
func (o Options) matched(name string) (Registration, *Reason) {
	if len(name) > maxMatched {
		return Registration{}, kindOf(registry.Other, "longer than 4096 bytes")
	}
	found := o.Regex.FindStringSubmatch(name)
	if found == nil {
		return Registration{}, &Reason{Kind: registry.Other, Problem: "it does not match regex", Remedy: "correct regex, or what the instance registers"}
	}
	group := func(name string) string {
		if i := o.Regex.SubexpIndex(name); i >= 0 {
			return found[i]
		}
		return ""
	}
	r := Registration{Format: Regex}
	port, err := parsePort(group(groupPort))
	if err != nil {
		return Registration{}, kindOf(registry.Address, "the group port of regex has no port between 1 and 65535")
	}
	r, reason := r.at(group(groupHost), port)
	if reason != nil {
		return Registration{}, reason
	}
	has := func(key string) (string, bool) { return group(key), slices.Contains(o.Regex.SubexpNames(), key) }
	if !o.matches(has) {
		return Registration{}, silent()
	}
	if group(groupWeight) != "" {
		if r.Terms, err = parseWeight(r.Terms, group(groupWeight), fullWeight); err != nil {
			return Registration{}, kindOf(registry.Payload, err.Error())
		}
	}
	return r, nil
}

// fullWeight is the weight of an instance that registers none, in most formats.
const fullWeight = 100
