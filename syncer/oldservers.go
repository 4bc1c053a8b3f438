package syncer

import (
	"sync"
	"time"
)

const (
	// A server that does not know a multi-read is asked for one again with the first session
	// after oldFor, since it may have been upgraded.
	oldFor = time.Hour
	// maxSilent is how many connections to a server may end in a row before it has answered a
	// multi-read: one may end for any reason.
	maxSilent = 2
)

// oldServers knows which servers do not know a multi-read: those before 3.6. They answer it
// with an error and end the connection, not the session. The zero value knows none; several
// goroutines may call its methods.
type oldServers struct {
	mu     sync.Mutex
	since  map[string]time.Time // by address
	silent map[string]int       // connections in a row that ended with a multi-read unanswered
}

// has reports whether a server is old.
func (o *oldServers) has(address string) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	return !o.since[address].IsZero()
}

// answered records that a server knows multi-reads.
func (o *oldServers) answered(address string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	delete(o.silent, address)
}

// rejected records that a server does not know them, and reports whether that is new.
func (o *oldServers) rejected(address string) (news bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.note(address)
}

// ended records that a connection has ended with a multi-read unanswered, and reports whether
// the server counts as old from now on.
func (o *oldServers) ended(address string) (news bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.silent == nil {
		o.silent = make(map[string]int)
	}
	o.silent[address]++
	return o.silent[address] >= maxSilent && o.note(address)
}

func (o *oldServers) note(address string) (news bool) {
	if o.since == nil {
		o.since = make(map[string]time.Time)
	}
	news = o.since[address].IsZero()
	o.since[address] = time.Now()
	delete(o.silent, address)
	return news
}

// renew is called with each new session.
func (o *oldServers) renew(address string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if time.Since(o.since[address]) > oldFor {
		delete(o.since, address)
	}
}
