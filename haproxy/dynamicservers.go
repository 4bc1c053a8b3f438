package haproxy

import (
	"bytes"
	"fmt"
	"net/netip"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

// AddressName returns the name of the server of an address: 10.0.0.5:8080 or ::1:80.
// HAProxy allows no brackets in names.
func AddressName(addr netip.AddrPort) string {
	return addr.Addr().String() + ":" + strconv.Itoa(int(addr.Port()))
}

// ParseAddressName returns the address after which a server is named; false if it is not
// named by [AddressName].
func ParseAddressName(name []byte) (addr netip.AddrPort, named bool) {
	colon := bytes.LastIndexByte(name, ':')
	if colon < 0 || len(name) > maxAddressName {
		return netip.AddrPort{}, false
	}
	ip, err := netip.ParseAddr(string(name[:colon]))
	port, err2 := strconv.ParseUint(string(name[colon+1:]), 10, 16)
	if err != nil || err2 != nil || port == 0 || ip.Zone() != "" {
		return netip.AddrPort{}, false
	}
	addr = netip.AddrPortFrom(ip, uint16(port))
	return addr, AddressName(addr) == string(name)
}

// maxAddressName is longer than an IPv6 address, a colon and a port.
const maxAddressName = 64

// DynamicServers makes the commands for the servers of a backend that are added and deleted
// at run time.
type DynamicServers struct {
	backend  string
	settings string // of each server, with a leading space
	checked  bool
	// Agent is the state of a new server's agent check.
	Agent Agent
	// Rest is how long a server is out of service before it is deleted: a stream that waits
	// to connect to it again would crash HAProxy.
	Rest time.Duration
}

// DynamicServers returns the servers of a backend that [Template.Carries] carries by
// [CarryServers].
func (t *Template) DynamicServers(b Backend, v Version) DynamicServers {
	lines := groupLines(t, b)
	words, _ := dynamicSettings(lines)
	words = append(words, strings.Fields(t.hashKey(b, v))...)
	words = append(words, strings.Fields(firstCheck(words))...)
	d := DynamicServers{backend: b.Name, settings: joined(words), checked: slices.Contains(words, "check"), Rest: restOf(lines)}
	if slices.Contains(words, "agent-check") {
		d.Agent = AgentOff
	}
	return d
}

// Add returns the commands that add the server of an address. It is in maintenance
// afterwards, and its agent check, if it has one, is disabled.
func (d DynamicServers) Add(addr netip.AddrPort) []Command {
	server := d.backend + "/" + AddressName(addr)
	commands := []Command{{Server: server, Verb: AddServer, Value: addr.String() + d.settings + guid(d.backend, addr)}}
	if d.checked {
		commands = append(commands, Command{Server: server, Verb: EnableHealth})
	}
	return commands
}

func joined(words []string) string {
	if len(words) == 0 {
		return ""
	}
	return " " + strings.Join(words, " ")
}

// maxGUID is HAProxy's limit of an identifier.
const maxGUID = 127

// guid returns the setting that identifies an instance of a group over reloads; empty if it
// would be too long. HAProxy allows no slash in it. IPv6 addresses are written out, so that
// no other group and address have the same.
func guid(group string, addr netip.AddrPort) string {
	id := group + ":" + addr.Addr().StringExpanded() + ":" + strconv.Itoa(int(addr.Port()))
	if len(id) > maxGUID {
		return ""
	}
	return " guid " + id
}

// firstCheckOf returns firstCheck of a backend's servers, with a leading space.
func (t *Template) firstCheckOf(b Backend) string {
	words, _ := dynamicSettings(groupLines(t, b))
	return joined(strings.Fields(firstCheck(words)))
}

// quickCheck is when HAProxy checks a new server for the first time, in milliseconds, and
// how often one that is down. The default is `inter`, during which it takes requests
// unchecked.
const quickCheck = 500

// firstCheck returns the setting that makes HAProxy check a new server soon; empty if
// settings already do, or there are no checks.
func firstCheck(settings []string) string {
	if !slices.Contains(settings, "check") || slices.Contains(settings, "downinter") {
		return ""
	}
	inter := 2 * time.Second
	for i, word := range settings[:len(settings)-1] {
		if word == "inter" {
			if d, ok := parsePeriod(settings[i+1]); ok {
				inter = d
			}
		}
	}
	if inter <= quickCheck*time.Millisecond {
		return ""
	}
	return "downinter " + strconv.Itoa(quickCheck)
}

// dynamicKeywords returns the settings of servers that `add server` takes, with the number
// of their arguments, from HAProxy 3.0 on.
func dynamicKeywords() map[string]int {
	return map[string]int{
		"addr": 1, "agent-addr": 1, "agent-check": 0, "agent-inter": 1, "agent-port": 1, "agent-send": 1, "backup": 0,
		"check": 0, "check-proto": 1, "check-send-proxy": 0, "downinter": 1, "error-limit": 1, "fall": 1, "fastinter": 1,
		"hash-key": 1, "inter": 1, "maxconn": 1, "maxqueue": 1, "minconn": 1, "observe": 1, "on-error": 1,
		"on-marked-down": 1, "on-marked-up": 1, "pool-low-conn": 1, "pool-max-conn": 1, "pool-purge-delay": 1, "port": 1, "proto": 1,
		"rise": 1, "send-proxy": 0, "send-proxy-v2": 0, "slowstart": 1, "tfo": 0, "weight": 1, "ws": 1,
	}
}

// commandWord is a word that the stats socket takes as it is.
var commandWord = regexp.MustCompile(`^[A-Za-z0-9_.:/,@%()=+*-]+$`)

// dynamicSettings returns the settings of a backend's servers for `add server`, which does
// not apply those of `default-server`; later ones override earlier ones. reason says which
// of them it cannot take; empty if it takes all.
func dynamicSettings(lines []groupLine) (settings []string, reason string) {
	keywords := dynamicKeywords()
	for _, l := range lines {
		if !l.configuresServers() {
			continue
		}
		for words := l.words[1:]; len(words) > 0; {
			word := words[0]
			arguments, known := keywords[word]
			switch {
			case word == "disabled" || word == "enabled": // the state is set by commands
				words = words[1:]
				continue
			case !known:
				return nil, fmt.Sprintf("a server with %q cannot be added at run time", word)
			case len(words) <= arguments:
				return nil, fmt.Sprintf("%q lacks its argument", word)
			}
			for _, w := range words[:arguments+1] {
				if !commandWord.MatchString(w) {
					return nil, fmt.Sprintf("%.40q cannot be part of a command", w)
				}
			}
			settings, words = append(settings, words[:arguments+1]...), words[arguments+1:]
		}
	}
	return settings, ""
}

const (
	// leastRest is the shortest time between the end of a server's service and its deletion.
	leastRest = 30 * time.Second
	// unknownRest is that time if HAProxy may try to connect for longer than is known.
	unknownRest = 5 * time.Minute

	defaultRetries = 3
	connectSlack   = time.Second
)

// restOf returns how long HAProxy may try to connect to a server after the last request
// was assigned to it.
func restOf(lines []groupLine) time.Duration {
	retries := defaultRetries
	if l, set := effective(lines, "retries"); set {
		n, err := strconv.Atoi(argument(l.words, 1))
		if err != nil || n < 0 || n > 100 {
			return unknownRest
		}
		retries = n
	}
	connect, known := time.Duration(0), false
	for _, l := range lines {
		if begins(l.words, "timeout connect") {
			connect, known = parsePeriod(argument(l.words, 2))
		}
	}
	if !known || connect > time.Minute {
		return unknownRest
	}
	return max(leastRest, time.Duration(retries+1)*(connect+connectSlack))
}

func argument(words []string, i int) string {
	if i < len(words) {
		return words[i]
	}
	return ""
}

// timePattern is a time in HAProxy's words; without a unit it is in milliseconds.
var timePattern = regexp.MustCompile(`^([0-9]{1,10})(us|ms|s|m|h|d)?$`)

// parsePeriod parses a time as HAProxy writes it.
func parsePeriod(text string) (time.Duration, bool) {
	m := timePattern.FindStringSubmatch(text)
	if m == nil {
		return 0, false
	}
	n, err := strconv.ParseInt(m[1], 10, 64)
	if err != nil {
		return 0, false
	}
	unit := time.Millisecond
	switch m[2] {
	case "us":
		unit = time.Microsecond
	case "s":
		unit = time.Second
	case "m":
		unit = time.Minute
	case "h":
		unit = time.Hour
	case "d":
		unit = 24 * time.Hour
	}
	if n > int64(1000*24*time.Hour/unit) {
		return 0, false
	}
	return time.Duration(n) * unit, true
}

// NamedAfterAddresses reports whether all servers have the names of their addresses.
func NamedAfterAddresses(servers map[string]Server) bool {
	for name, s := range servers {
		if addr, named := ParseAddressName([]byte(name)); !named || addr != s.Addr {
			return false
		}
	}
	return true
}
