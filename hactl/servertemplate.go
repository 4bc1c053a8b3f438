package hactl

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// maxSlots bounds a backend, against a range that is a slip of the finger, and against
// whoever registers without end: each slot costs memory in every worker.
const maxSlots = 10000

// HAProxy takes a colon in a server's name, but not in the prefix of many.
var serverPrefix = regexp.MustCompile(`^[A-Za-z0-9_.-]+$`)

// ServerTemplate is how the servers of one backend are written: HAProxy's
// keyword server-template, without the keyword.
type ServerTemplate struct {
	// Prefix and a number make a server's name.
	Prefix string
	// First and Last are the range that the configuration asks for.
	First, Last int
	// Free is the address of a slot that no instance occupies.
	Free string
	// Params are the words after the address, without `disabled`.
	Params []string
}

// ParseServerTemplate understands the seed's
//
//	${group_name} 1-${max_server} ${ip_port} check inter 2000 rise 1 fall 2 disabled
//
// with group and maxServer filled in. A literal prefix, range (`1-20`, or `20`
// for 1-20) or address is accepted as well. `disabled` may be missing: a free
// slot is always rendered disabled, an occupied one never.
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
		return ServerTemplate{}, fmt.Errorf("prefix %.80q: it is made of letters, digits and _ . -", t.Prefix)
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

// DefaultServerTemplate is the seed's.
const DefaultServerTemplate = "${group_name} 1-${max_server} ${ip_port} check inter 2000 rise 1 fall 2 disabled"

func parseRange(text string) (first, last int, err error) {
	from, to, isRange := strings.Cut(text, "-")
	if !isRange {
		from, to = "1", text
	}
	first, err1 := strconv.Atoi(from)
	last, err2 := strconv.Atoi(to)
	if err1 != nil || err2 != nil || first < 1 || last < first || last-first >= maxSlots {
		return 0, 0, fmt.Errorf("range %.80q: the slots are A-B or B with 1 <= A <= B and at most %d of them, such as 1-${max_server}", text, maxSlots)
	}
	return first, last, nil
}

// size is how many slots the range has.
func (t ServerTemplate) size() int { return t.Last - t.First + 1 }

// name of the slot at index i.
func (t ServerTemplate) name(i int) string { return t.Prefix + strconv.Itoa(t.First+i) }

// nameAll tells whether servers are called like the slots, of which there may have
// come to be more than the range has.
func (t ServerTemplate) nameAll(servers map[string]Server) bool {
	for name := range servers {
		n, err := strconv.Atoi(strings.TrimPrefix(name, t.Prefix))
		if err != nil || n < t.First || name != t.name(n-t.First) {
			return false
		}
	}
	return true
}
