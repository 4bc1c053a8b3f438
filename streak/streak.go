package streak

import (
	"slices"
	"strings"
	"time"
)

const (
	// Every is how often a failure that continues is logged.
	Every = time.Minute
	// maxReasons bounds the reasons of one streak that are logged at once.
	maxReasons = 8
)

// Streak is a streak of failures of one action. The zero Streak has none. It must not be
// used by two goroutines at once.
type Streak struct {
	began, logged time.Time
	failures      int
	reasons       []string
}

// Failed records a failure at now, and reports whether to log it: the first of a streak,
// one for another reason, and one a minute. Reasons that differ in digits only are the
// same. attrs are attributes for that line: from the second failure on, `failures`, the
// number of failures of the streak, and `failing_for`, its duration.
func (s *Streak) Failed(now time.Time, reason string) (attrs []any, due bool) {
	return s.FailedTimes(now, reason, s.failures+1)
}

// FailedTimes is [Streak.Failed] for an action that fails elsewhere: the streak has had
// this many failures by now, at least one.
func (s *Streak) FailedTimes(now time.Time, reason string, failures int) (attrs []any, due bool) {
	first := s.failures == 0
	if first {
		s.began = now
	}
	s.failures = max(failures, 1)
	due = first || now.Sub(s.logged) >= Every
	if reason = withoutDigits(reason); !slices.Contains(s.reasons, reason) && len(s.reasons) < maxReasons {
		s.reasons = append(s.reasons, reason)
		due = true
	}
	if !due {
		return nil, false
	}
	s.logged = now
	if !first {
		attrs = []any{"failures", s.failures, "failing_for", now.Sub(s.began).Round(time.Millisecond)}
	}
	return attrs, true
}

// Over ends the streak at now, and reports whether there was one. attrs are attributes for
// the line that says so: `failures` and `failed_for`.
func (s *Streak) Over(now time.Time) (attrs []any, ended bool) {
	if s.failures == 0 {
		return nil, false
	}
	attrs = []any{"failures", s.failures, "failed_for", now.Sub(s.began).Round(time.Millisecond)}
	*s = Streak{}
	return attrs, true
}

// Failing reports whether the last attempt failed.
func (s *Streak) Failing() bool { return s.failures > 0 }

// withoutDigits removes what differs in each attempt: pids, times, ports.
func withoutDigits(text string) string {
	return strings.Map(func(r rune) rune {
		if '0' <= r && r <= '9' {
			return -1
		}
		return r
	}, text)
}
