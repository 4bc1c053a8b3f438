package syncer

import (
	"log/slog"

	"github.com/haproxy-zk/haproxy-zk/registry"
)

// instances turns the children's names of one group into what is registered.
type instances struct {
	group      string
	sink       Sink
	log        *slog.Logger
	complaints complaints
}

// deliver hands the group over, and logs the odd names.
func (i *instances) deliver(names []string) {
	list, skipped := decodeAll(names)
	complain(i.log, i.complaints.update(skipped))
	i.sink.SetGroup(registry.Group{Name: i.group, Instances: list, Skipped: len(skipped)})
}
