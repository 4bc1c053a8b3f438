package syncer

import (
	"cmp"
	"fmt"
	"time"
)

const (
	// firstReminder is how long the first connect may take before it is logged.
	firstReminder = 2 * time.Second
	reminder      = 30 * time.Second
)

// logLinks logs the state of the connection until the session ends. While connections
// keep failing soon after they are established, for instance because the server breaks
// the protocol, it logs the first failure, another reason once, and then reminders.
func (s *session) logLinks() {
	remind := time.NewTimer(firstReminder)
	defer remind.Stop()
	brief, reason := false, "" // of the last connection logged
	quiet := false
	for {
		l := s.awaitLink(remind, reason)
		if l == nil {
			return
		}
		if brief && !s.staysUp(l) {
			if l.over() && l.reason != reason && !quiet {
				reason, quiet = l.reason, true
				s.log.Warn("disconnected from ZooKeeper again, keeping all instances", "server", l.server, "reason", reason)
			}
			continue
		}
		quiet = false
		s.log.Info("connected to ZooKeeper", "server", l.server, "session", fmt.Sprintf("%#x", l.session))
		s.absence.over(l.server)
		since := time.Now()
		select {
		case <-l.down:
		case <-s.ctx.Done():
			return
		}
		brief, reason = time.Since(since) < stable, l.reason
		s.log.Warn("disconnected from ZooKeeper, keeping all instances", "server", l.server, "reason", reason)
		s.absence.begin(reason)
		remind.Reset(reminder)
	}
}

// awaitLink returns the next link that is up, or nil if the session is to end. When
// remind fires, and every 30 seconds after that, it logs that it is still waiting.
func (s *session) awaitLink(remind *time.Timer, reason string) *link {
	l, _ := s.links.get()
	for {
		select {
		case <-l.up:
			return l
		case <-remind.C:
			problem := cmp.Or(s.status.get().Problem, reason)
			s.log.Warn("cannot reach ZooKeeper, keeping all instances", "problem", problem)
			s.absence.begin(problem)
			remind.Reset(reminder)
		case <-s.stale:
			s.log.Warn("session rejected by ZooKeeper, starting a new one", "problem", s.status.get().Problem)
			return nil
		case <-s.ctx.Done():
			return nil
		}
	}
}

// staysUp reports whether a link stays up for a while.
func (s *session) staysUp(l *link) bool {
	timer := time.NewTimer(stable)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-l.down:
	case <-s.ctx.Done():
	}
	return false
}
