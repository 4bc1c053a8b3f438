package syncer

import (
	"context"
	"maps"
	"slices"
	"time"

	"github.com/haproxy-zk/haproxy-zk/intake"
	"github.com/haproxy-zk/haproxy-zk/registry"
	"github.com/haproxy-zk/haproxy-zk/resolve"
)

// resolvePatience is how long a list waits for the addresses of new host names. Those that
// take longer follow.
const resolvePatience = time.Second

// instances turns the children of one group into its registered instances.
type instances struct {
	group     string
	sink      Sink
	payloads  *payloads
	hosts     *resolve.Follower
	admit     func(registry.Instance) error // nil admits all
	note      *intake.Note
	owners    *owners
	delivered *registry.Group // nil: nothing was delivered yet
	// again makes the list be delivered again, when the weight of an instance has grown;
	// warming calls it, nil: never.
	again   func()
	warming *time.Timer
}

// end makes again not be called.
func (i *instances) end() {
	if i.warming != nil {
		i.warming.Stop()
	}
}

// deliver passes the group on if it has changed, and records the skipped children.
func (i *instances) deliver(ctx context.Context, names []string, since time.Time) {
	children := i.payloads.childrenOf(names)
	intake.Resolve(ctx, i.hosts, children, resolvePatience)
	if ctx.Err() != nil {
		return // the names may not have been looked up
	}
	var summary intake.Summary
	list, usable, next := intake.Take(children, i.hosts, i.admit, &summary)
	i.end()
	if !next.IsZero() {
		i.warming = time.AfterFunc(time.Until(next), i.again)
	}
	i.note.SetChildren(fromNames, len(usable), list.Formats(), &summary)
	i.owners.update(usable)
	now := list.Group(i.group)
	now.Skipped, now.Since = skipped(summary.Found()), since
	if i.delivered != nil && i.delivered.Skipped == now.Skipped && slices.Equal(i.delivered.Instances, now.Instances) && maps.Equal(i.delivered.Terms, now.Terms) {
		return
	}
	handed := now
	i.delivered = &handed
	now.Instances = slices.Clone(now.Instances)
	i.sink.SetGroup(now)
}
