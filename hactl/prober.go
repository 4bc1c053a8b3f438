package hactl

import (
	"context"
	"sync"
	"time"
)

// Prober finds out which processes answer on the stats sockets.
type Prober struct {
	Sockets []string
	Timeout time.Duration
}

// Probe asks every socket once, at the same time, and returns the pids that
// answered, each with a socket it answered on. While two generations share the
// sockets it is chance which one answers: ask again.
func (p Prober) Probe(ctx context.Context) map[int]string {
	pids := make([]int, len(p.Sockets))
	var asking sync.WaitGroup
	for i, path := range p.Sockets {
		asking.Go(func() {
			replies, err := Client{Path: path, Timeout: p.Timeout}.Ask(ctx, "show info")
			if err == nil {
				pids[i], _ = ParsePID(replies[0])
			}
		})
	}
	asking.Wait()
	answered := make(map[int]string)
	for i := len(pids) - 1; i >= 0; i-- {
		if pids[i] != 0 {
			answered[pids[i]] = p.Sockets[i]
		}
	}
	return answered
}
