package haproxy

import (
	"bytes"
	"errors"
	"fmt"
	"math"
	"net/netip"
	"strconv"
	"strings"
	"time"
)

// ShowStats is the request for the statistics of all frontends, backends and servers;
// [StatsLines] parses its reply.
const ShowStats = "show stat -1 7 -1"

// ShowGroupStats returns the request for the statistics of a backend and its servers.
func ShowGroupStats(backend string) string { return "show stat " + backend + " 6 -1" }

// StatsKind says what statistics are of.
type StatsKind uint8

// The kinds, with the numbers of the column `type`.
const (
	OfFrontend StatsKind = iota
	OfBackend
	OfServer
	ofListener
)

// Status is the status of a server, as far as it decides about requests.
type Status uint8

// The statuses of a server. A server without a health check is up, and so is one whose
// health check has begun to fail.
const (
	StatusUnknown Status = iota
	StatusUp
	StatusDown
	StatusDrain
	StatusMaint
)

// Stats is one line of `show stat`: the statistics of a frontend, a backend or a server in
// one process.
type Stats struct {
	Kind StatsKind
	// Proxy is the name of the frontend or backend, Server that of a server, else empty.
	// Both have only characters that HAProxy accepts: letters, digits and `-_.:`.
	Proxy, Server string
	// Addr is the address of a server; invalid if it has a host name, a path or port 0.
	Addr netip.AddrPort
	// Status is that of a server.
	Status Status
	// Weight is that of a server now.
	Weight uint64
	// Sessions run now, Queued wait now, and Limit may run at a time; 0 is no limit.
	Sessions, Queued, Limit uint64
	// HTTP is true if HTTP responses are counted.
	HTTP bool
	// ResponseTime is the average of the last 1,024 requests.
	ResponseTime time.Duration
	Counters     Counters
	// Unchanged is for how long a server has had its status, in whole seconds.
	Unchanged time.Duration
	// Starting is true while `slowstart` keeps a server from its full share.
	Starting bool
	// Check is the last health check of a server.
	Check Check
}

// Check is the last health check of a server; the zero Check if there was none.
type Check struct {
	// Status is a word of HAProxy, such as L7OK or L4TOUT.
	Status string
	// Code is that of the protocol, such as 503; 0 if there is none.
	Code uint64
	// Duration is how long it took, in whole milliseconds.
	Duration time.Duration
	// Text is what failed, of at most 200 bytes; empty if nothing has.
	Text string
}

// maxCheckText bounds [Check.Text], which may come from the instance.
const maxCheckText = 200

// The columns besides those of the counters, which precede them.
const (
	colProxy = int(numCounters) + iota
	colServer
	colKind
	colAddr
	colStatus
	colWeight
	colSessions
	colQueued
	colLimit
	colResponseTime
	colUnchanged
	colThrottle
	colCheckStatus
	colCheckCode
	colCheckDuration
	colCheckText
)

// StatsLines parses replies to [ShowStats] or to `show stat BACKEND 4 ID` (CSV), line by
// line. Columns are found by the names in the header: each version adds some. Without those
// of a name or of the sessions it is an error; what other columns lack is zero. Replies
// about few servers are mostly header, which is the same in all of them.
type StatsLines struct {
	take   func(Stats)
	header string
	parser *statsParser
}

// NewStatsLines returns a parser that calls take for each line but those of listeners.
func NewStatsLines(take func(Stats)) *StatsLines { return &StatsLines{take: take} }

// Take parses the next line. The empty lines between replies are left out.
func (p *StatsLines) Take(line []byte) error {
	line = bytes.TrimSuffix(line, []byte("\n"))
	if p.parser == nil || bytes.HasPrefix(line, []byte("# ")) {
		if p.parser != nil && string(line) == p.header {
			return nil
		}
		parser, err := newStatsParser(string(line))
		if err != nil {
			return fmt.Errorf("show stat: %w", err)
		}
		p.header, p.parser = string(line), parser
		return nil
	}
	s, err := p.parser.parse(string(line))
	if err != nil {
		return fmt.Errorf("show stat: %.200q has %w", line, err)
	}
	if s.Kind != ofListener {
		p.take(s)
	}
	return nil
}

// End returns an error if no reply had a header.
func (p *StatsLines) End() error {
	if p.parser == nil {
		return errors.New("show stat: the reply is empty")
	}
	return nil
}

// statsParser parses lines below one header.
type statsParser struct {
	// columns has what each of the first columns is, -1 if it is not needed.
	columns []int
	// proxy and check are those of the last line: the servers of a backend follow each
	// other, and most checks have the same result.
	proxy, check string
}

func newStatsParser(header string) (*statsParser, error) {
	names := strings.Split(strings.TrimPrefix(header, "# "), ",")
	if _, err := columns(names, "pxname", "svname", "qcur", "scur"); err != nil {
		return nil, err
	}
	known := map[string]int{
		"pxname": colProxy, "svname": colServer, "type": colKind, "addr": colAddr, "status": colStatus, "weight": colWeight,
		"scur": colSessions, "qcur": colQueued, "slim": colLimit, "rtime": colResponseTime,
		"lastchg": colUnchanged, "throttle": colThrottle,
		"check_status": colCheckStatus, "check_code": colCheckCode, "check_duration": colCheckDuration, "last_chk": colCheckText,
	}
	for counter, name := range counterColumns() {
		known[name] = counter
	}
	p := &statsParser{columns: make([]int, len(names))}
	last := 0
	for i, name := range names {
		p.columns[i] = -1
		if what, needed := known[name]; needed {
			p.columns[i], last = what, i
		}
	}
	p.columns = p.columns[:last+1]
	return p, nil
}

func (p *statsParser) parse(line string) (Stats, error) {
	var s Stats
	for i, what := range p.columns {
		if what < 0 && line != "" && line[0] == ',' {
			line = line[1:] // most columns are empty
			continue
		}
		field, rest, err := nextField(line)
		if err != nil {
			return s, err
		}
		if what >= 0 {
			if err := p.set(&s, what, field); err != nil {
				return s, err
			}
		}
		if rest == "" && i < len(p.columns)-1 {
			return s, fmt.Errorf("%d columns", i+1)
		}
		line = rest
	}
	if s.Kind != OfServer {
		s.Server = ""
	}
	return s, nil
}

// nextField returns the first field of a line, and the rest behind the comma. HAProxy
// quotes fields that contain commas, quotes or line feeds.
func nextField(line string) (field, rest string, err error) {
	if !strings.HasPrefix(line, `"`) {
		field, rest, _ = strings.Cut(line, ",")
		return field, rest, nil
	}
	rest = line[1:]
	for {
		end := strings.IndexByte(rest, '"')
		if end < 0 {
			return "", "", fmt.Errorf("a quote without an end")
		}
		field, rest = field+rest[:end], rest[end+1:]
		if !strings.HasPrefix(rest, `"`) {
			break
		}
		field, rest = field+`"`, rest[1:]
	}
	if rest != "" && rest[0] != ',' {
		return "", "", fmt.Errorf("text behind a quoted column")
	}
	return field, strings.TrimPrefix(rest, ","), nil
}

// set sets what a column says.
func (p *statsParser) set(s *Stats, what int, field string) (err error) {
	switch what {
	case colProxy:
		if field != p.proxy || field == "" { // else it was checked
			if !validName(field) {
				return fmt.Errorf("the name %.80q", field)
			}
			p.proxy = strings.Clone(field) // so that it does not keep the whole reply in memory
		}
		s.Proxy = p.proxy
	case colServer:
		if !validName(field) {
			return fmt.Errorf("the name %.80q", field)
		}
		s.Server, s.Kind = strings.Clone(field), kindByName(field)
	case colKind:
		n, err := strconv.ParseUint(field, 10, 8)
		if err != nil || n > uint64(ofListener) {
			return fmt.Errorf("the type %.80q", field)
		}
		s.Kind = StatsKind(n)
	case colAddr:
		addr, err := netip.ParseAddrPort(field)
		// haproxy-zk never sets a zone, which may contain any characters.
		if err == nil && addr.Port() > 0 && addr.Addr().Zone() == "" {
			s.Addr = addr
		}
	case colStatus:
		s.Status = parseStatus(field)
	case colWeight:
		s.Weight, err = parseCount(field)
	case colSessions:
		s.Sessions, err = strconv.ParseUint(field, 10, 64) // all have it
	case colQueued:
		s.Queued, err = parseCount(field)
	case colLimit:
		s.Limit, err = parseCount(field)
	case colResponseTime:
		s.ResponseTime, err = parseTime(field, time.Millisecond)
	case colUnchanged:
		s.Unchanged, err = parseTime(field, time.Second)
	case colThrottle:
		s.Starting = field != ""
	case colCheckStatus:
		// A star precedes the last result while a check runs.
		if field = strings.TrimPrefix(field, "* "); field != "" && field != p.check {
			if !validName(field) {
				return fmt.Errorf("the check %.80q", field)
			}
			p.check = strings.Clone(field)
		}
		if field != "" {
			s.Check.Status = p.check
		}
	case colCheckCode:
		s.Check.Code, err = parseCount(field)
	case colCheckDuration:
		s.Check.Duration, err = parseTime(field, time.Millisecond)
	case colCheckText:
		if field != "" {
			s.Check.Text = strings.ToValidUTF8(strings.Clone(field[:min(len(field), maxCheckText)]), "")
		}
	default:
		s.Counters[what], err = parseCount(field)
		if Counter(what) == Responses2xx && field != "" {
			s.HTTP = true
		}
	}
	return err
}

// parseTime parses a number of units, at most that of a 32-bit counter.
func parseTime(field string, unit time.Duration) (time.Duration, error) {
	n, err := parseCount(field)
	return time.Duration(min(n, math.MaxUint32)) * unit, err
}

// kindByName returns the kind where there is no column `type`.
func kindByName(server string) StatsKind {
	switch server {
	case "FRONTEND":
		return OfFrontend
	case "BACKEND":
		return OfBackend
	}
	return OfServer
}

// parseStatus parses a server's status, such as `UP`, `UP 1/3`, `DOWN (agent)`, `no check`
// or `MAINT (via web/web1)`.
func parseStatus(text string) Status {
	word, _, _ := strings.Cut(text, " ")
	switch word {
	case "UP", "no":
		return StatusUp
	case "DOWN":
		return StatusDown
	case "DRAIN", "NOLB":
		return StatusDrain
	case "MAINT":
		return StatusMaint
	}
	return StatusUnknown
}

// parseCount parses a number; an empty column is 0.
func parseCount(field string) (uint64, error) {
	switch field {
	case "", "0": // most are
		return 0, nil
	}
	return strconv.ParseUint(field, 10, 64)
}

// validName reports whether HAProxy accepts a name for a proxy or a server.
func validName(name string) bool {
	for i := range len(name) {
		switch c := name[i]; {
		case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c >= '0' && c <= '9', c == '-', c == '_', c == '.', c == ':':
		default:
			return false
		}
	}
	return name != ""
}
