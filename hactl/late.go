package hactl

import "maps"

// late is whose commands a worker may still run although they were given up: it had
// not read them, and whoever is given its socket reads them first. The zero value
// is nobody's.
type late struct {
	servers map[string]bool // BACKEND/SERVER
	all     bool            // they are not known
}

func (l *late) add(operations []operation) {
	for _, op := range operations {
		l.put(op.group.server(op.slot))
	}
}

func (l *late) put(server string) {
	if l.servers == nil {
		l.servers = make(map[string]bool)
	}
	l.servers[server] = true
}

// merge adds those of another.
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
