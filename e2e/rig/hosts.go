package rig

import (
	"errors"
	"sync"
)

// hosts passes the servers to the ZooKeeper library by name, in turn: a name is
// resolved at every dial instead of once forever.
type hosts struct {
	mu      sync.Mutex
	servers []string
	next    int
	tried   int // since the last connection
}

// Init implements [zk.HostProvider].
func (h *hosts) Init(servers []string) error {
	if len(servers) == 0 {
		return errors.New("no zookeeper server")
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	h.servers, h.next, h.tried = servers, 0, 0
	return nil
}

// Len implements [zk.HostProvider].
func (h *hosts) Len() int {
	h.mu.Lock()
	defer h.mu.Unlock()
	return len(h.servers)
}

// Next implements [zk.HostProvider]: retryStart makes the library pause.
func (h *hosts) Next() (server string, retryStart bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	server = h.servers[h.next]
	h.next = (h.next + 1) % len(h.servers)
	if h.tried == len(h.servers) {
		h.tried, retryStart = 0, true
	}
	h.tried++
	return server, retryStart
}

// Connected implements [zk.HostProvider].
func (h *hosts) Connected() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.tried = 0
}
