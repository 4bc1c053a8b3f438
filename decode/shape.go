package decode

import (
	"net/netip"
	"strings"

	"github.com/haproxy-zk/haproxy-zk/registry"
)

// maxShape bounds the part of a name that is classified; ZooKeeper allows a megabyte.
const maxShape = 512

// shaped returns the reason for a name that is not an address, by its format.
func shaped(name string, err error) *Reason {
	kind := Shape(name)
	problem := Describe(kind)
	if problem == "" {
		problem = err.Error()
	}
	return &Reason{Kind: kind, Problem: problem, Remedy: giveAddress}
}

// Shape returns what a name that is not an ip:port looks like. It uses no regular
// expressions because there may be a hundred thousand names.
//
// See ServiceInstanceBuilder (UUID) and ProtectedUtils (_c_GUID-) of Curator, CreateMode
// of ZooKeeper (the sequence number has ten digits), Nerve's zookeeper reporter, and
// toUrlPath of Dubbo's ZookeeperRegistry.
func Shape(name string) registry.FindingKind {
	name = name[:min(len(name), maxShape)]
	switch {
	case isURL(name):
		return registry.URL
	case isUUID(name):
		return registry.UUID
	case isAddress(name):
		return registry.Address
	case strings.HasPrefix(name, "{"), strings.HasPrefix(name, "[{"), strings.HasPrefix(name, "%7B"), strings.HasPrefix(name, "base64_"):
		return registry.Encoded
	case isSequential(name):
		if before, joined := strings.CutSuffix(strings.TrimRight(name, digits), "_"); joined && isHostPort(before, '_') {
			return registry.HostPortSequence
		}
		return registry.Sequential
	case isHostPort(name, ':'):
		return registry.HostName
	}
	return registry.Other
}

const (
	digits  = "0123456789"
	letters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
)

// isOf reports whether text is not empty and consists of characters of set.
func isOf(text, set string) bool { return text != "" && strings.Trim(text, set) == "" }

// isURL reports whether a name is an encoded URL.
func isURL(name string) bool {
	const separator = "%3A%2F%2F"
	at := strings.IndexByte(name, '%')
	return at >= 0 && len(name) >= at+len(separator) && isOf(name[:at], letters+digits+"+.-") && strings.EqualFold(name[at:at+len(separator)], separator)
}

func isUUID(name string) bool {
	const example = "00000000-0000-0000-0000-000000000000"
	return len(name) == len(example) && strings.Count(name, "-") == 4 &&
		name[8] == '-' && name[13] == '-' && name[18] == '-' && name[23] == '-' && isOf(name, digits+"abcdefABCDEF-")
}

// isSequential reports whether a name ends with exactly ten digits.
func isSequential(name string) bool {
	rest := strings.TrimRight(name, digits)
	return len(name)-len(rest) == len("0000000000")
}

// isHostPort reports whether a name is a host, a separator and a port.
func isHostPort(name string, separator byte) bool {
	at := strings.LastIndexByte(name, separator)
	if at < 1 {
		return false
	}
	host, port := name[:at], name[at+1:]
	return isOf(port, digits) && len(port) <= len("65535") && isOf(host, letters+digits+"_.-") &&
		!strings.HasPrefix(host, "-") && !strings.HasSuffix(host, "-")
}

// isAddress reports whether a name is meant as an IP address, with or without a port.
func isAddress(name string) bool {
	if host, _, _ := strings.Cut(name, ":"); strings.Count(host, ".") == 3 && isOf(strings.Trim(host, "[]"), digits+".") {
		return true
	}
	host, bracketed := strings.CutPrefix(name, "[")
	if bracketed {
		host, _, _ = strings.Cut(host, "]")
	}
	if strings.Count(host, ":") < 2 || !isOf(host, digits+letters+":.%") {
		return false
	}
	_, err := netip.ParseAddr(host)
	return err == nil
}

// Describe describes the names of a kind that [Shape] returns; empty for other kinds.
func Describe(kind registry.FindingKind) string {
	switch kind {
	case registry.HostName:
		return "a host name instead of an IP address"
	case registry.UUID:
		return "a UUID, as Curator and Spring Cloud register: the address is in the node's data, which this format does not read"
	case registry.Sequential:
		return "a name with a sequence number, as ServerSets and go-kit register: the address is in the node's data, which this format does not read"
	case registry.HostPortSequence:
		return "HOST_PORT_SEQUENCE, as Nerve registers, instead of ip:port"
	case registry.URL:
		return "an encoded URL, as Dubbo and SOFA RPC register, instead of ip:port"
	case registry.Encoded:
		return "JSON or base64 instead of ip:port"
	case registry.Address:
		return "an invalid address, or no port between 1 and 65535"
	}
	return ""
}
