package hactl

import "github.com/haproxy-zk/haproxy-zk/haproxy"

// markRamps marks the slots of instances that some worker does not send their full share
// of requests to yet: they have just entered, or are not known to it. Without workers the
// marks stay as they are.
func (g *group) markRamps(workers []*worker) {
	if !g.slowStarts || len(workers) == 0 {
		return
	}
	g.table.Ramp(func(slot int) bool {
		addr := g.table.Slots[slot].Addr
		for _, w := range workers {
			have := w.have[g]
			if slot >= len(have) || have[slot].Addr != addr || have[slot].Admin != haproxy.Ready || have[slot].Starting {
				return true
			}
		}
		return false
	})
}
