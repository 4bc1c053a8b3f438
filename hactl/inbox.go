package hactl

import (
	"sync"
	"time"

	"github.com/haproxy-zk/haproxy-zk/registry"
)

// mail is what the loop has not seen yet.
type mail struct {
	groups map[string]registry.Group // the last list of each
	found  registry.Discovered       // the groups, if listed
	listed bool
	since  time.Time // when the oldest of it came
}

func (m mail) empty() bool { return len(m.groups) == 0 && !m.listed }

// inbox holds mail until the loop takes it.
type inbox struct {
	// wake has a value when there is something to take.
	wake chan struct{}

	mu   sync.Mutex
	mail mail
}

func newInbox() *inbox {
	return &inbox{wake: make(chan struct{}, 1), mail: mail{groups: make(map[string]registry.Group)}}
}

func (in *inbox) put(g registry.Group) {
	in.change(func(m *mail) {
		if before, waits := m.groups[g.Name]; waits && before.Since.Before(g.Since) {
			g.Since = before.Since // of what nobody has seen yet
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
		in.mail.since = time.Now()
	}
	do(&in.mail)
	in.mu.Unlock()
	in.nudge()
}

// nudge makes the loop look for what there is.
func (in *inbox) nudge() {
	select {
	case in.wake <- struct{}{}:
	default:
	}
}

// take returns what came since the last call.
func (in *inbox) take() mail {
	in.mu.Lock()
	defer in.mu.Unlock()
	taken := in.mail
	in.mail = mail{groups: make(map[string]registry.Group)}
	return taken
}
