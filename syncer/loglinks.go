package syncer

import (
	"cmp"
	"fmt"
	"time"
)

const (
	// firstReminder is how long the first connect may take before it is logged.
	firstReminder = 2 * time.Second
	// lookAgain is how often it is then looked for something to log.
	lookAgain = 30 * time.Second
)

// logLinks logs the state of the connection until the session ends. While connections
// keep failing soon after they are established, for instance because the server breaks
// the protocol, they are part of the same streak of failures.
func (s *session) logLinks() {
	remind := time.NewTimer(firstReminder)
	defer remind.Stop()
	brief, reason := false, "" // of the last connection logged
	for {
		l := s.awaitLink(remind, reason)
		if l == nil {
			return
		}
		if brief && !s.staysUp(l) {
			if l.over() {
				reason = l.reason
				if attrs, due := s.absence.failed(reason, s.status.lossesSoFar()); due {
					s.linkLog.lost(l.server, reason, attrs)
				}
			}
			continue
		}
		attrs, _ := s.absence.failing.Over(time.Now())
		s.log.With(attrs...).Info("connected to ZooKeeper", "server", l.server, "session", fmt.Sprintf("%#x", l.session))
		s.absence.over(l.server)
		since := time.Now()
		select {
		case <-l.down:
		case <-s.ctx.Done():
			return
		}
		brief, reason = time.Since(since) < stable, l.reason
		attrs, _ = s.absence.failed(reason, s.status.lossesSoFar())
		s.linkLog.lost(l.server, reason, attrs)
		s.absence.begin(reason)
		remind.Reset(lookAgain)
	}
}

// awaitLink returns the next link that is up, or nil if the session is to end. When
// remind fires, and once a minute after that, it logs that it is still waiting.
func (s *session) awaitLink(remind *time.Timer, reason string) *link {
	l, _ := s.links.get()
	for {
		select {
		case <-l.up:
			return l
		case <-remind.C:
			problem := cmp.Or(s.status.get().Problem, reason)
			if attrs, due := s.absence.failed(problem, s.status.lossesSoFar()); due {
				s.linkLog.unreachable(problem, attrs)
			}
			s.absence.begin(problem)
			remind.Reset(lookAgain)
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
