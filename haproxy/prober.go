package haproxy

import (
	"context"
	"slices"
	"sync"
	"time"

	"github.com/haproxy-zk/haproxy-zk/retry"
)

// Prober finds out which processes answer on the stats sockets.
type Prober struct {
	Sockets []string
	// Timeout bounds one request.
	Timeout time.Duration
}

const (
	// probeAtOnce is how often a socket is asked again without a pause if the other
	// generation answered.
	probeAtOnce = 50
	probeEvery  = 5 * time.Millisecond
)

// Probe asks every socket repeatedly until each of pids has answered or ctx is done. It
// returns those that have, each with a socket on which it answered. While two
// generations share the sockets, either may answer. The only error is that this process
// was out of file descriptors before all had answered.
func (p Prober) Probe(ctx context.Context, pids []int) (map[int]string, error) {
	ctx, cancel := context.WithCancel(ctx)
	type answer struct {
		pid    int
		socket string
		noFD   error
	}
	answers := make(chan answer)
	var asking sync.WaitGroup
	for _, socket := range p.Sockets {
		asking.Go(func() {
			for tries := 0; ctx.Err() == nil; tries++ {
				pid, err := Client{Path: socket, Timeout: p.Timeout}.pid(ctx)
				a := answer{pid: pid, socket: socket}
				if err != nil {
					a.pid = 0
				}
				if retry.NoDescriptor(err) {
					a.noFD = err
				}
				select {
				case answers <- a:
				case <-ctx.Done():
					return
				}
				if err == nil && tries < probeAtOnce {
					continue
				}
				select {
				case <-time.After(probeEvery):
				case <-ctx.Done():
				}
			}
		})
	}
	answered := make(map[int]string)
	noFD := make(map[string]error) // by socket, the latest result
	for len(answered) < len(pids) {
		select {
		case a := <-answers:
			if _, known := answered[a.pid]; !known && slices.Contains(pids, a.pid) {
				answered[a.pid] = a.socket
			}
			noFD[a.socket] = a.noFD
			continue
		case <-ctx.Done():
		}
		break
	}
	cancel()
	asking.Wait()
	if len(answered) < len(pids) {
		for _, err := range noFD {
			if err != nil {
				return answered, err
			}
		}
	}
	return answered, nil
}
