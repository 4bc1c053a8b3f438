package syncer

import (
	"log/slog"
	"slices"
	"time"

	"github.com/haproxy-zk/haproxy-zk/registry"
)

// instances turns the children's names of one group into what is registered.
type instances struct {
	group      string
	sink       Sink
	log        *slog.Logger
	complaints complaints
	handed     *registry.Group // nil: nothing was handed over yet
}

// deliver hands the group over when it is another than before, and logs the odd
// names.
func (i *instances) deliver(names []string, since time.Time) {
	list, skipped := decodeAll(names)
	complain(i.log, i.complaints.update(skipped))
	now := registry.Group{Name: i.group, Instances: list, Skipped: len(skipped), Since: since}
	if i.handed != nil && i.handed.Skipped == now.Skipped && slices.Equal(i.handed.Instances, now.Instances) {
		return
	}
	handed := now
	i.handed = &handed
	now.Instances = slices.Clone(now.Instances)
	i.sink.SetGroup(now)
}
