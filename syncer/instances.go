package syncer

import (
	"slices"
	"time"

	"github.com/haproxy-zk/haproxy-zk/registry"
)

// instances turns the children's names of one group into its registered instances.
type instances struct {
	group     string
	sink      Sink
	decode    func(string) (registry.Instance, error)
	note      *note
	owners    *owners
	delivered *registry.Group // nil: nothing was delivered yet
}

// deliver passes the group on if it has changed, and records the skipped names.
func (i *instances) deliver(names []string, since time.Time) {
	list, usable, skipped := decodeAll(names, i.decode)
	i.note.setNames(len(list), findSkipped(skipped, i.decode))
	i.owners.update(usable)
	now := registry.Group{Name: i.group, Instances: list, Skipped: len(skipped), Since: since}
	if i.delivered != nil && i.delivered.Skipped == now.Skipped && slices.Equal(i.delivered.Instances, now.Instances) {
		return
	}
	handed := now
	i.delivered = &handed
	now.Instances = slices.Clone(now.Instances)
	i.sink.SetGroup(now)
}
