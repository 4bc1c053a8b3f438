package hactl

import (
	"maps"
	"sync"
	"time"

	"github.com/haproxy-zk/haproxy-zk/registry"
)

// mail is what has arrived since the loop last looked.
type mail struct {
	groups map[string]registry.Group // the last list of each group
	found  registry.Discovered       // the groups, if listed
	listed bool
	since  time.Time // when the oldest of it arrived
}

func (m mail) empty() bool { return len(m.groups) == 0 && !m.listed }

// inbox holds mail until the loop takes it.
type inbox struct {
	// wake has a value when there is mail to take.
	wake chan struct{}
	now  func() time.Time

	mu   sync.Mutex
	mail mail

	requests requests
}

func newInbox(now func() time.Time) *inbox {
	return &inbox{wake: make(chan struct{}, 1), now: now, mail: mail{groups: make(map[string]registry.Group)}}
}

func (in *inbox) put(g registry.Group) {
	in.change(func(m *mail) {
		if before, waits := m.groups[g.Name]; waits && before.Since.Before(g.Since) {
			g.Since = before.Since // of the oldest list not taken yet
		}
		m.groups[g.Name] = g
	})
}

func (in *inbox) list(d registry.Discovered) {
	in.change(func(m *mail) { m.found, m.listed = d, true })
}

func (in *inbox) change(do func(*mail)) {
	in.mu.Lock()
	if in.mail.empty() {
		in.mail.since = in.now()
	}
	do(&in.mail)
	in.mu.Unlock()
	in.nudge()
}

// nudge makes the loop check for mail and requests.
func (in *inbox) nudge() {
	select {
	case in.wake <- struct{}{}:
	default:
	}
}

// lists returns the pending list of each group without taking it.
func (in *inbox) lists() map[string]registry.Group {
	in.mu.Lock()
	defer in.mu.Unlock()
	return maps.Clone(in.mail.groups)
}

// take returns the mail since the last call.
func (in *inbox) take() mail {
	in.mu.Lock()
	defer in.mu.Unlock()
	taken := in.mail
	in.mail = mail{groups: make(map[string]registry.Group)}
	return taken
}
