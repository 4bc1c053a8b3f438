package hactl

import (
	"time"

	"github.com/cenkalti/backoff/v5"

	"github.com/haproxy-zk/haproxy-zk/haproxy"
	"github.com/haproxy-zk/haproxy-zk/retry"
	"github.com/haproxy-zk/haproxy-zk/streak"
)

const (
	// A reload that is not urgent waits this long after the previous one.
	reloadGap = time.Second
	// While too many old generations are draining, a reload waits for up to crowdedGap
	// after the previous one and checks again every crowdedRetry. Then it proceeds:
	// nothing waits for a client that never disconnects.
	crowdedGap   = time.Minute
	crowdedRetry = time.Second
	// The backoff is reset by a generation that lived longer than this.
	settled = 10 * time.Second
)

// schedule decides when the next reload is due, and why. It is pure: it starts nothing,
// and the time is passed in.
//
// A reload to another layout is scheduled separately, since its failure must not keep
// the running layout from reloading. All other causes are merged into one reload.
type schedule struct {
	cause  Cause     // of the reload with the running layout; empty if none is wanted
	at     time.Time // when it is due
	layout time.Time // when the reload to another layout is due; zero if none is wanted
	// urgent is true if the next reload replaces workers.
	urgent bool
	// postponed is true once the next reload has waited for draining generations.
	postponed bool
	// last is when HAProxy was last started or reloaded; zero before the start.
	last time.Time
	// failing is the error of the last reload, without digits; empty if it succeeded.
	failing string
	// failure is the text of that error if the previous generation is serving with all
	// its workers; otherwise empty.
	failure string
	// failures are those of the log.
	failures streak.Streak
	backoff  *backoff.ExponentialBackOff
}

func newSchedule() schedule {
	return schedule{backoff: retry.Backoff(100*time.Millisecond, 30*time.Second)}
}

// ask requests a reload that is not urgent. It is merged with a pending one, which
// keeps its cause, unless that cause could be withdrawn and this one is an operator's.
func (s *schedule) ask(cause Cause, now time.Time) {
	switch {
	case cause == CauseConfiguration:
		s.layout = now
	case s.cause == "":
		s.cause, s.at = cause, now
		if soonest := s.last.Add(reloadGap); soonest.After(now) {
			s.at = soonest
		}
	case s.cause == CauseSlots && cause != CauseGroups:
		s.cause = cause
	}
}

// demand requests an urgent reload, which waits only for the backoff after a
// short-lived generation. It reports whether no urgent reload was pending.
func (s *schedule) demand(cause Cause, now time.Time) bool {
	if s.cause == cause {
		return false
	}
	s.cause, s.urgent, s.at = cause, true, now
	if now.Sub(s.last) > settled {
		s.backoff.Reset()
	} else {
		s.at = now.Add(s.backoff.NextBackOff())
	}
	return true
}

// withdraw cancels the request with a cause, and reports whether it was still pending.
func (s *schedule) withdraw(cause Cause) bool {
	switch {
	case cause == CauseConfiguration && !s.layout.IsZero():
		s.layout = time.Time{}
	case cause != "" && cause == s.cause:
		s.cause, s.failure = "", ""
	default:
		return false
	}
	return true
}

// due returns the cause of the reload that is due; empty if none is. A reload that is
// not urgent is postponed while crowded.
func (s *schedule) due(now time.Time, crowded bool) Cause {
	switch {
	case !s.layout.IsZero() && s.reached(&s.layout, now, crowded):
		return CauseConfiguration
	case s.cause != "" && s.reached(&s.at, now, crowded):
		return s.cause
	}
	return ""
}

func (s *schedule) reached(at *time.Time, now time.Time, crowded bool) bool {
	switch {
	case at.After(now):
		return false
	case s.urgent || !crowded || now.Sub(s.last) >= crowdedGap:
		return true
	}
	s.postponed = true
	*at = now.Add(crowdedRetry)
	return false
}

// failed records a failed reload, which is due again after wait. first is false if the
// previous reload failed for the same reason, ignoring digits.
func (s *schedule) failed(cause Cause, err error, now time.Time) (wait time.Duration, first bool) {
	wait = s.backoff.NextBackOff()
	if cause == CauseConfiguration {
		s.layout = now.Add(wait)
	} else {
		s.cause, s.at = cause, now.Add(wait)
	}
	reason := haproxy.WithoutDigits(err.Error())
	first, s.failing = reason != s.failing, reason
	return wait, first
}

// done records that HAProxy was started or reloaded, which satisfies all requests so
// far; a request for another layout only if cause is CauseConfiguration.
func (s *schedule) done(cause Cause, now time.Time) {
	if !s.urgent {
		s.backoff.Reset() // otherwise a longer-lived generation resets it
	}
	if cause == CauseConfiguration {
		s.layout = time.Time{}
	}
	s.cause, s.urgent, s.postponed, s.last, s.failing, s.failure = "", false, false, now, "", ""
}

// spared records that another layout is in service without a reload.
func (s *schedule) spared() {
	s.layout = time.Time{}
	if s.cause == "" {
		s.postponed, s.failing, s.failure = false, "", ""
	}
}

// serving reports whether HAProxy was started.
func (s *schedule) serving() bool { return !s.last.IsZero() }

// next returns when a reload is due; zero if none is wanted.
func (s *schedule) next() time.Time {
	if s.cause == "" {
		return s.layout
	}
	return earliest(s.layout, s.at)
}

// earliest returns the earliest of the times; zero times mean never.
func earliest(times ...time.Time) (first time.Time) {
	for _, t := range times {
		if first.IsZero() || !t.IsZero() && t.Before(first) {
			first = t
		}
	}
	return first
}
