package syncer

import (
	"path"
	"strings"
	"sync"

	"github.com/go-zookeeper/zk"
)

// dataEvents passes the events of data on to the groups: a goroutine for each of 20,000
// watches would cost more than the data. The zero value is ready to use.
type dataEvents struct {
	mu     sync.Mutex
	groups map[string]map[*payloads]bool // by path
}

// add begins to pass on the events of a group's children.
func (d *dataEvents) add(p *payloads) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.groups == nil {
		d.groups = make(map[string]map[*payloads]bool)
	}
	if d.groups[p.path] == nil {
		d.groups[p.path] = make(map[*payloads]bool)
	}
	d.groups[p.path][p] = true
}

// remove ends what add began.
func (d *dataEvents) remove(p *payloads) {
	d.mu.Lock()
	defer d.mu.Unlock()
	delete(d.groups[p.path], p)
	if len(d.groups[p.path]) == 0 {
		delete(d.groups, p.path)
	}
}

// observe is called with every event by the library's loop, which waits for it.
func (d *dataEvents) observe(event zk.Event) {
	if event.Type != zk.EventNodeDataChanged && event.Type != zk.EventNodeDeleted {
		return
	}
	dir, name := path.Split(event.Path)
	d.mu.Lock()
	defer d.mu.Unlock()
	for p := range d.groups[strings.TrimSuffix(dir, "/")] {
		p.fire(name)
	}
}
