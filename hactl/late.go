package hactl

import (
	"maps"

	"github.com/haproxy-zk/haproxy-zk/hactl/slots"
)

// late has the servers whose commands a worker may still run although we gave them up:
// the worker had not read them, and the next worker to own the socket reads them first.
// The zero value has none.
type late struct {
	servers map[string]bool // BACKEND/SERVER
	all     bool            // unknown, so it may be any server
}

func (l *late) add(operations []slots.Operation) {
	for _, op := range operations {
		l.put(op.Server)
	}
}

func (l *late) put(server string) {
	if l.servers == nil {
		l.servers = make(map[string]bool)
	}
	l.servers[server] = true
}

// merge adds the servers of o.
func (l *late) merge(o late) {
	l.all = l.all || o.all
	for server := range o.servers {
		l.put(server)
	}
}

func (l *late) clone() late { return late{servers: maps.Clone(l.servers), all: l.all} }

func (l *late) none() bool { return !l.all && len(l.servers) == 0 }

func (l *late) has(g *group, slot int) bool {
	return l.all || len(l.servers) > 0 && l.servers[g.server(slot)]
}
