package syncer

import "sync"

// hosts gives the library the servers in turn. It keeps host names, so that every dial
// resolves them again; the library's own provider resolves once.
//
// Only the library's loop calls its exported methods.
type hosts struct {
	connected func()

	servers []string
	next    int

	stopping chan struct{}
	parked   chan struct{} // closed when the loop waits in Next
	leaving  chan struct{}
	// Each closes the channel above on its first call.
	stop, park, unpark func()
}

func newHosts(connected func()) *hosts {
	h := &hosts{
		connected: connected,
		stopping:  make(chan struct{}),
		parked:    make(chan struct{}),
		leaving:   make(chan struct{}),
	}
	h.stop = sync.OnceFunc(func() { close(h.stopping) })
	h.park = sync.OnceFunc(func() { close(h.parked) })
	h.unpark = sync.OnceFunc(func() { close(h.leaving) })
	return h
}

// Init receives the servers, which the library has already shuffled.
func (h *hosts) Init(servers []string) error {
	h.servers = servers
	return nil
}

// Len returns the number of servers.
func (h *hosts) Len() int { return len(h.servers) }

// Next returns the next server. Normally it reports that no round is over, because the
// library would then sleep for a fixed second and fail waiting requests; the dialer
// backs off instead. After stop it parks the loop until unpark is called and then
// reports the end of a round, the only place where the library notices that it is
// closed.
func (h *hosts) Next() (server string, retryStart bool) {
	server = h.servers[h.next]
	h.next = (h.next + 1) % len(h.servers)
	select {
	case <-h.stopping:
		h.park()
		<-h.leaving
		return server, true
	default:
		return server, false
	}
}

// Connected is called when a session is established.
func (h *hosts) Connected() { h.connected() }
