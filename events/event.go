package events

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/netip"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/haproxy-zk/haproxy-zk/logging"
	"github.com/haproxy-zk/haproxy-zk/registry"
)

// Event is an event as it was recorded.
type Event struct {
	// Seq is the event's number. Each event has a higher one than all events before it,
	// also after a restart. Numbers are left out only after a crash.
	Seq uint64
	// Time is in UTC, to the millisecond. The clock may have been set back since an earlier
	// event.
	Time time.Time
	registry.Event
}

// maxText bounds the bytes of a name, reason or detail.
const maxText = 1000

// eventBytes is at least the size of an Event without its texts.
const eventBytes = 160

// size returns how many bytes the event takes in memory.
func (e *Event) size() int {
	return eventBytes + len(e.Proxy) + len(e.Group) + len(e.Reason) + len(e.Detail)
}

// clean makes the texts of an event short printable lines.
func clean(e registry.Event) registry.Event {
	for _, text := range []*string{&e.Proxy, &e.Group, &e.Reason, &e.Detail} {
		if !isClean(*text) {
			*text = logging.OneLine(*text, maxText)
		}
	}
	return e
}

func isClean(text string) bool {
	if len(text) > maxText {
		return false
	}
	for i := range len(text) {
		if text[i] < ' ' || text[i] > '~' {
			return utf8.ValidString(text) && !strings.ContainsFunc(text, func(r rune) bool { return !unicode.IsPrint(r) })
		}
	}
	return true
}

// timeLayout is RFC 3339 with milliseconds.
const timeLayout = "2006-01-02T15:04:05.000Z07:00"

// AppendJSON appends the event as one line of JSON without its end: an object with seq,
// time and kind and, unless empty, proxy, group, instance, reason and detail.
func (e *Event) AppendJSON(b []byte) []byte {
	b = strconv.AppendUint(append(b, `{"seq":`...), e.Seq, 10)
	b = e.Time.AppendFormat(append(b, `,"time":"`...), timeLayout)
	b = append(append(b, `","kind":"`...), e.Kind...)
	b = append(b, '"')
	b = appendMember(b, "proxy", e.Proxy)
	b = appendMember(b, "group", e.Group)
	if e.Instance.Addr.IsValid() {
		b = e.Instance.Addr.AppendTo(append(b, `,"instance":"`...))
		b = append(b, '"')
	}
	b = appendMember(b, "reason", e.Reason)
	b = appendMember(b, "detail", e.Detail)
	return append(b, '}')
}

// appendMember appends a member of an object unless its text is empty. Most texts are the
// same in JSON.
func appendMember(b []byte, name, text string) []byte {
	if text == "" {
		return b
	}
	b = append(append(append(b, `,"`...), name...), `":`...)
	for i := range len(text) {
		if c := text[i]; c < ' ' || c > '~' || strings.IndexByte(`"\<>&`, c) >= 0 {
			quoted, err := json.Marshal(text)
			if err != nil {
				panic(err) // a string always has a JSON form
			}
			return append(b, quoted...)
		}
	}
	b = append(append(b, '"'), text...)
	return append(b, '"')
}

// document is what AppendJSON writes.
type document struct {
	Seq                                    uint64
	Time                                   string
	Kind                                   registry.EventKind
	Proxy, Group, Instance, Reason, Detail string
}

// maxSeq leaves JavaScript, whose numbers are exact up to 2^53, room for all that may
// follow.
const maxSeq = 1 << 52

// decode returns the event that AppendJSON has written. It accepts nothing that
// [Ring.Append] would not have recorded.
func decode(text []byte) (e Event, err error) {
	var d document
	if err := json.Unmarshal(text, &d); err != nil {
		return Event{}, err
	}
	at, err := time.Parse(timeLayout, d.Time)
	if err != nil {
		return Event{}, err
	}
	e = Event{Seq: d.Seq, Time: at.UTC(), Event: registry.Event{Kind: d.Kind, Proxy: d.Proxy, Group: d.Group, Reason: d.Reason, Detail: d.Detail}}
	if d.Instance != "" {
		if e.Instance.Addr, err = netip.ParseAddrPort(d.Instance); err != nil {
			return Event{}, err
		}
	}
	switch {
	case e.Seq == 0 || e.Seq > maxSeq:
		return Event{}, fmt.Errorf("the number %d is out of range", e.Seq)
	case !e.Kind.Valid():
		return Event{}, errors.New("there is no such kind")
	case e.Time.Year() < 1970 || e.Instance.Addr.Addr().Zone() != "" || clean(e.Event) != e.Event:
		return Event{}, errors.New("a value is not canonical")
	}
	return e, nil
}
