package haproxy

import (
	"bytes"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// MaxSlots bounds a backend against typing errors in the range, and against endless
// registrations: each slot costs memory in every worker.
const MaxSlots = 10000

// HAProxy allows a colon in a server's name, but not in the prefix of a server-template.
var serverPrefix = regexp.MustCompile(`^[A-Za-z0-9_.-]+$`)

// ServerTemplate describes the servers of one backend: the arguments of HAProxy's keyword
// server-template.
type ServerTemplate struct {
	// Prefix and a number make a server's name.
	Prefix string
	// First and Last are the configured range.
	First, Last int
	// Free is the address of a free slot.
	Free string
	// Params are the words after the address, without `disabled`.
	Params []string
}

// ParseServerTemplate parses the seed's
//
//	${group_name} 1-${max_server} ${ip_port} check inter 2000 rise 1 fall 2 disabled
//
// with group and maxServer substituted. A literal prefix, range (`1-20`, or `20` for 1-20)
// or address is accepted as well. `disabled` may be missing: a free slot is always
// rendered disabled, an occupied one never.
func ParseServerTemplate(text, group string, maxServer int) (ServerTemplate, error) {
	fields := strings.Fields(strings.NewReplacer(
		"${group_name}", group,
		"${min_server}", "1",
		"${max_server}", strconv.Itoa(maxServer),
		"${ip_port}", "0.0.0.0:0",
	).Replace(text))
	if len(fields) < 3 {
		return ServerTemplate{}, fmt.Errorf("%.200q has %d words: a server-template is PREFIX RANGE ADDRESS and the server's settings, such as %q",
			text, len(fields), DefaultServerTemplate)
	}
	t := ServerTemplate{Prefix: fields[0], Free: fields[2]}
	if !serverPrefix.MatchString(t.Prefix) {
		return ServerTemplate{}, fmt.Errorf("prefix %.80q: use only letters, digits and _ . -", t.Prefix)
	}
	var err error
	if t.First, t.Last, err = parseRange(fields[1]); err != nil {
		return ServerTemplate{}, err
	}
	if strings.Contains(t.Free, "$") || !strings.Contains(t.Free, ":") {
		return ServerTemplate{}, fmt.Errorf("address %.80q: a free slot's address is ${ip_port} or a literal such as 0.0.0.0:0", t.Free)
	}
	t.Params = slices.DeleteFunc(slices.Clone(fields[3:]), func(word string) bool { return word == "disabled" })
	return t, nil
}

// DefaultServerTemplate is the one of the seed.
const DefaultServerTemplate = "${group_name} 1-${max_server} ${ip_port} check inter 2000 rise 1 fall 2 disabled"

func parseRange(text string) (first, last int, err error) {
	from, to, isRange := strings.Cut(text, "-")
	if !isRange {
		from, to = "1", text
	}
	first, err1 := strconv.Atoi(from)
	last, err2 := strconv.Atoi(to)
	if err1 != nil || err2 != nil || first < 1 || last < first || last-first >= MaxSlots {
		return 0, 0, fmt.Errorf("range %.80q: the slots are A-B or B with 1 <= A <= B and at most %d of them, such as 1-${max_server}", text, MaxSlots)
	}
	return first, last, nil
}

// Size returns the number of slots in the range.
func (t ServerTemplate) Size() int { return t.Last - t.First + 1 }

// Name returns the name of the server of the slot at index i, counted from 0.
func (t ServerTemplate) Name(i int) string { return t.Prefix + strconv.Itoa(t.First+i) }

// Slot returns the index of the slot whose server has a name; false if there is none.
// Slots may exceed the range.
func (t ServerTemplate) Slot(name []byte) (i int, found bool) {
	number, found := bytes.CutPrefix(name, []byte(t.Prefix))
	n, err := strconv.ParseUint(string(number), 10, 31)
	if !found || err != nil || number[0] == '0' || int(n) < t.First {
		return 0, false
	}
	return int(n) - t.First, true
}

// NamesAll reports whether all servers have names of slots.
func (t ServerTemplate) NamesAll(servers map[string]Server) bool {
	for name := range servers {
		if _, found := t.Slot([]byte(name)); !found {
			return false
		}
	}
	return true
}
