package intake

import (
	"context"
	"time"

	"github.com/haproxy-zk/haproxy-zk/decode"
	"github.com/haproxy-zk/haproxy-zk/registry"
	"github.com/haproxy-zk/haproxy-zk/resolve"
)

// Child is a child of a group, and what it says.
type Child struct {
	Name         string
	Registration decode.Registration
	// Reason is why it is no registration; nil if it is one.
	Reason *decode.Reason
}

// Resolve makes hosts follow the host names of children, and waits for the addresses of
// the new ones, at most for patience or until ctx is done.
func Resolve(ctx context.Context, hosts *resolve.Follower, children []Child, patience time.Duration) {
	var names map[string]bool
	for _, c := range children {
		if c.Reason == nil && c.Registration.Host != "" {
			if names == nil {
				names = make(map[string]bool)
			}
			names[c.Registration.Host] = true
		}
	}
	hosts.Set(names)
	if names != nil && patience > 0 {
		hosts.Await(ctx, patience)
	}
}

// Take returns the registrations among children that have an address, which hosts knows if
// it is that of a host name, and are admitted, and the names of these children in their
// order. The other children are added to skipped. A nil admit admits all. The terms are
// those of now, and change at next, unless that is zero.
func Take(children []Child, hosts *resolve.Follower, admit func(registry.Instance) error, skipped *Summary) (list decode.List, used []string, next time.Time) {
	now := time.Now()
	used = make([]string, 0, len(children))
	for _, c := range children {
		if c.Reason != nil {
			if c.Reason.Kind != "" {
				skipped.Skip(c.Name, c.Reason)
			}
			continue
		}
		r := c.Registration
		if r.Host != "" {
			var err error
			if r.Addr, err = hosts.Addr(r.Host); err != nil {
				skipped.Skip(c.Name, decode.Unresolved(err))
				continue
			}
		}
		if admit != nil {
			if err := admit(r.Instance()); err != nil {
				skipped.Skip(c.Name, err)
				continue
			}
		}
		used = append(used, c.Name)
		var until time.Time
		if r.Terms, until = r.TermsAt(now); !until.IsZero() && (next.IsZero() || until.Before(next)) {
			next = until
		}
		list.Add(r)
	}
	return list, used, next
}
