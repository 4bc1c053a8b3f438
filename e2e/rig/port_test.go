package rig_test

import (
	"net"
	"strconv"
	"sync"
	"testing"

	"github.com/haproxy-zk/haproxy-zk/e2e/rig"
)

func TestFreePort(t *testing.T) {
	t.Parallel()
	var (
		wg   sync.WaitGroup
		mu   sync.Mutex
		seen = make(map[int]bool)
	)
	for range 8 {
		wg.Go(func() {
			for range 25 {
				port, err := rig.FreePort()
				if err != nil {
					t.Error(err)
					return
				}
				mu.Lock()
				if seen[port] {
					t.Errorf("port %d was given twice", port)
				}
				seen[port] = true
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	for port := range seen {
		l, err := net.Listen("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(port)))
		if err != nil {
			t.Errorf("port %d is not free: %v", port, err)
			continue
		}
		l.Close()
	}
}
