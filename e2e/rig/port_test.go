package rig_test

import (
	"context"
	"net"
	"os/exec"
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
	// A child forked in the meantime holds open what this process has open.
	ctx, cancel := context.WithCancel(t.Context())
	var forking sync.WaitGroup
	for range 4 {
		forking.Go(func() {
			for ctx.Err() == nil {
				if err := exec.Command("true").Run(); err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	defer forking.Wait()
	defer cancel()
	for range 8 {
		wg.Go(func() {
			for range 25 {
				port, err := rig.FreePort()
				if err != nil {
					t.Error(err)
					return
				}
				if free, err := rig.IsFree(port); err != nil || !free {
					t.Errorf("port %d is not free: %v", port, err)
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
		if free, err := rig.IsFree(port); err != nil || free {
			t.Errorf("port %d is free although it is listened on: %v", port, err)
		}
		l.Close()
	}
}
