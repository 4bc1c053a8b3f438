package query

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/haproxy-zk/haproxy-zk/events"
	"github.com/haproxy-zk/haproxy-zk/registry"
)

// eventFilter selects events. The zero value selects all.
type eventFilter struct {
	since        time.Time
	proxy, group string
	kinds        []registry.EventKind
}

// parseEventFilter returns the filter of a request's arguments. Its errors are for the
// client.
func parseEventFilter(given arguments, now time.Time) (f eventFilter, err error) {
	f.proxy, f.group = given["proxy"], given["group"]
	if since, has := given["since"]; has {
		if f.since, err = parseSince(since, now); err != nil {
			return f, err
		}
	}
	if kind, has := given["kind"]; has {
		f.kinds, err = parseKinds(kind)
	}
	return f, err
}

func parseSince(value string, now time.Time) (time.Time, error) {
	if at, err := time.Parse(time.RFC3339, value); err == nil {
		return at, nil
	}
	ago, err := time.ParseDuration(value)
	if err != nil || ago < 0 {
		return time.Time{}, fmt.Errorf("since %s is neither a duration such as 1h30m nor a time such as 2026-01-02T15:04:05Z", echo(value))
	}
	return now.Add(-ago), nil
}

func parseKinds(value string) (kinds []registry.EventKind, err error) {
	for name := range strings.SplitSeq(value, ",") {
		kind := registry.EventKind(name)
		if !kind.Valid() {
			var all []string
			for _, k := range registry.EventKinds() {
				all = append(all, string(k))
			}
			return nil, fmt.Errorf("no kind %s: use one or more of %s, separated by commas", echo(name), strings.Join(all, ", "))
		}
		kinds = append(kinds, kind)
	}
	return kinds, nil
}

// matches reports whether the filter selects an event, if it is recent enough.
func (f *eventFilter) matches(e *events.Event) bool {
	return (f.proxy == "" || f.proxy == e.Proxy) && (f.group == "" || f.group == e.Group) && (f.kinds == nil || slices.Contains(f.kinds, e.Kind))
}
