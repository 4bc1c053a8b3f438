package haproxy

import (
	"strconv"
	"strings"
	"time"
)

// Request is what HAProxy has logged of one request, or of one connection in mode tcp.
type Request struct {
	// Backend is the name of the backend, or of the frontend if none was chosen.
	Backend string
	// Took is the time from the request's first byte to the answer's last one (Ta), or
	// that of the whole connection (Tt), in milliseconds.
	Took time.Duration
}

const (
	// acceptDate is the length of the date of a request: [06/Feb/2009:12:14:14.655].
	acceptDate = len("[06/Feb/2009:12:14:14.655]")
	// maxMilliseconds is the most that HAProxy's counters of milliseconds hold.
	maxMilliseconds = 1<<32 - 1
	// httpTimers and tcpTimers are the numbers of times that a line has.
	httpTimers = 5
	tcpTimers  = 3
)

// RequestSeverity is the severity of the lines that HAProxy logs for requests, unless
// `option log-separate-errors` raises that of failed ones.
const RequestSeverity = 6

// IsRequest reports whether HAProxy has logged a line, without the syslog header, for a
// request or a connection: it has their severity, or their format.
func IsRequest(line string, severity int) bool {
	if severity == RequestSeverity {
		return true
	}
	_, ok := ParseRequest(line)
	return ok
}

// ParseRequest parses a line of HAProxy's log, without the syslog header, in the format of
// `option httplog`, `option httpslog` or `option tcplog`, which are the same from 2.0 to
// 3.4 up to the fields used here:
//
//	10.0.0.1:33317 [06/Feb/2009:12:14:14.655] public web/web1 10/0/30/69/109 200 2750 - - ---- …
//	10.0.0.1:33313 [06/Feb/2009:12:12:51.443] public web/web1 0/0/5007 212 -- …
//
// In the built-in templates the server's name is followed by its address: web1@10.0.0.9:80.
// Everything that a client can choose comes after these fields. Other lines, and those of
// `option logasap`, written before the request has ended, are no requests. It allocates
// nothing.
func ParseRequest(line string) (r Request, ok bool) {
	client, rest, _ := strings.Cut(line, " ")
	date, rest, _ := strings.Cut(rest, " ")
	frontend, rest, _ := strings.Cut(rest, " ")
	server, rest, _ := strings.Cut(rest, " ")
	timers, rest, _ := strings.Cut(rest, " ")
	third, rest, _ := strings.Cut(rest, " ")
	if !isClient(client) || len(date) != acceptDate || date[0] != '[' || date[len(date)-1] != ']' || frontend == "" {
		return Request{}, false
	}
	backend, name, found := strings.Cut(server, "/")
	if !found || backend == "" || name == "" {
		return Request{}, false
	}
	count, total := parseTimers(timers)
	switch count {
	case httpTimers:
		size, _, _ := strings.Cut(rest, " ")
		ok = isStatus(third) && isNumber(size)
	case tcpTimers:
		termination, _, _ := strings.Cut(rest, " ")
		ok = isNumber(third) && len(termination) == len("--")
	}
	if !ok {
		return Request{}, false
	}
	return Request{Backend: backend, Took: time.Duration(total) * time.Millisecond}, true
}

// isClient reports whether a field is an address or `unix`, and a port.
func isClient(field string) bool {
	colon := strings.LastIndexByte(field, ':')
	return colon > 0 && isNumber(field[colon+1:])
}

// parseTimers parses times joined by slashes, of which all but the last may be -1. It
// returns how many there are and the last one; 0 if any is something else.
func parseTimers(field string) (count int, last uint64) {
	for more := true; more; {
		var text string
		text, field, more = strings.Cut(field, "/")
		count++
		if text == "-1" && more {
			continue
		}
		n, err := strconv.ParseUint(text, 10, 64)
		if err != nil || !isNumber(text) || n > maxMilliseconds {
			return 0, 0
		}
		last = n
	}
	return count, last
}

func isStatus(field string) bool { return field == "-1" || len(field) == 3 && isNumber(field) }

func isNumber(field string) bool {
	for _, r := range []byte(field) {
		if r < '0' || r > '9' {
			return false
		}
	}
	return field != ""
}
