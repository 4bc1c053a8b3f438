package syncer

import (
	"fmt"
	"time"
)

const (
	// firstReminder is how long the first connect may take without a word.
	firstReminder = 2 * time.Second
	reminder      = 30 * time.Second
)

// attend logs how the connection goes, until the session is to end.
func (s *session) attend() {
	patience := firstReminder
	for {
		l := s.awaitLink(patience)
		if l == nil {
			return
		}
		s.log.Info("connected to zookeeper", "server", l.server, "session", fmt.Sprintf("%#x", l.session))
		select {
		case <-l.down:
		case <-s.ctx.Done():
			return
		}
		s.log.Warn("disconnected from zookeeper, instances stay as they are", "server", l.server)
		patience = reminder
	}
}

// awaitLink returns the next link that is up, or nil when the session is to
// end. After patience it says that it still waits, and again every 30 seconds.
func (s *session) awaitLink(patience time.Duration) *link {
	remind := time.NewTimer(patience)
	defer remind.Stop()
	l, _ := s.links.get()
	for {
		select {
		case <-l.up:
			return l
		case <-remind.C:
			s.log.Warn("zookeeper is away, instances stay as they are", "problem", s.contact.get().Problem)
			remind.Reset(reminder)
		case <-s.stale:
			s.log.Warn("zookeeper refuses the session, starting another", "problem", s.contact.get().Problem)
			return nil
		case <-s.ctx.Done():
			return nil
		}
	}
}
