package hactl

import (
	"errors"
	"fmt"
	"testing"
	"time"
)

// scheduling is a schedule with a fake clock.
type scheduling struct {
	schedule
	t   *testing.T
	now time.Time
}

// scheduled returns a schedule whose HAProxy was started this long ago.
func scheduled(t *testing.T, ago time.Duration) *scheduling {
	t.Helper()
	s := &scheduling{schedule: newSchedule(), t: t, now: time.Unix(1<<30, 0)}
	s.done(CauseStart, s.now)
	s.after(ago)
	return s
}

func (s *scheduling) after(d time.Duration) { s.now = s.now.Add(d) }

func (s *scheduling) isDue(what string, want Cause) {
	s.t.Helper()
	same(s.t, what, want, s.due(s.now, false))
}

func (s *scheduling) isDueCrowded(what string, want Cause) {
	s.t.Helper()
	same(s.t, what, want, s.due(s.now, true))
}

func TestWaitingReloadsAreMerged(t *testing.T) {
	s := scheduled(t, time.Hour)
	s.isDue("none wanted", "")
	same(t, "next", time.Time{}, s.next())
	s.ask(CauseGroups, s.now)
	s.isDue("first is due at once", CauseGroups)
	s.done(CauseGroups, s.now)
	s.isDue("it was done", "")
	s.after(reloadGap / 2)
	s.ask("signal", s.now)
	s.ask(CauseGroups, s.now)
	s.isDue("the next one keeps its distance", "")
	same(t, "next", reloadGap/2, s.next().Sub(s.now))
	s.after(reloadGap / 2)
	s.isDue("both have become one", "signal")
	s.done("signal", s.now)
	s.isDue("and are done", "")
}

func TestReloadForSlotsMayBeWithdrawn(t *testing.T) {
	s := scheduled(t, time.Hour)
	s.ask(CauseSlots, s.now)
	same(t, "withdrawn", true, s.withdraw(CauseSlots))
	same(t, "withdrawn again", false, s.withdraw(CauseSlots))
	s.isDue("none wanted", "")

	s.ask(CauseSlots, s.now)
	s.ask("signal", s.now)
	same(t, "withdrawn after an operator asked too", false, s.withdraw(CauseSlots))
	s.isDue("the operator's stays", "signal")
}

func TestDeadWorkerIsReplacedBeforeOtherReloads(t *testing.T) {
	s := scheduled(t, time.Hour)
	s.ask(CauseSlots, s.now)
	s.after(time.Millisecond)
	same(t, "news", true, s.demand(CauseDied, s.now))
	same(t, "still news", false, s.demand(CauseDied, s.now))
	s.isDueCrowded("it does not wait for old generations", CauseDied)
	s.done(CauseDied, s.now)
	s.isDue("the new generation has the slots too", "")
}

func TestShortLivedGenerationsAreReplacedWithBackoff(t *testing.T) {
	s := scheduled(t, settled)
	for i, least := range []time.Duration{50, 100, 200, 400} {
		s.demand(CauseDied, s.now)
		wait := s.next().Sub(s.now)
		if least *= time.Millisecond; wait < least || wait > 3*least {
			t.Errorf("replacement %d waits %v, want between %v and %v", i+1, wait, least, 3*least)
		}
		s.after(wait)
		s.isDue("then it is due", CauseDied)
		s.done(CauseDied, s.now)
	}
	s.after(settled + 1)
	s.demand(CauseDied, s.now)
	s.isDue("one that has settled is replaced at once", CauseDied)
	s.done(CauseDied, s.now)
	s.demand(CauseDied, s.now)
	if wait := s.next().Sub(s.now); wait > time.Second {
		t.Errorf("the backoff did not begin anew: %v", wait)
	}
}

func TestFailedReloadIsRetriedUntilItSucceeds(t *testing.T) {
	s := scheduled(t, time.Hour)
	s.ask(CauseGroups, s.now)
	for i := range 20 {
		wait, first := s.failed(CauseGroups, fmt.Errorf("process %d: cannot bind", i), s.now)
		if wait < 50*time.Millisecond || wait > 30*time.Second {
			t.Errorf("failure %d: %v", i, wait)
		}
		same(t, "the reason is news", i == 0, first)
		s.isDue("not yet", "")
		s.after(wait)
		s.isDue("again", CauseGroups)
	}
	_, first := s.failed(CauseGroups, errors.New("no space left on device"), s.now)
	same(t, "another reason is news", true, first)
	s.done(CauseGroups, s.now)
	if _, first := s.failed(CauseGroups, errors.New("no space left on device"), s.now); !first {
		t.Error("the reason before a success counts")
	}
	s.done(CauseGroups, s.now)
	if wait, _ := s.failed(CauseGroups, errors.New("once more"), s.now); wait > 150*time.Millisecond {
		t.Errorf("the backoff did not begin anew: %v", wait)
	}
}

func TestDrainingGenerationsPostponeReload(t *testing.T) {
	s := scheduled(t, crowdedGap/2)
	s.ask(CauseSlots, s.now)
	s.isDueCrowded("it waits", "")
	same(t, "postponed", true, s.postponed)
	same(t, "it asks again after", crowdedRetry, s.next().Sub(s.now))
	s.after(crowdedRetry)
	s.isDue("they have ended", CauseSlots)
	s.isDueCrowded("they have not", "")
	s.after(crowdedGap / 2)
	s.isDueCrowded("no longer than a minute after the one before", CauseSlots)
	s.done(CauseSlots, s.now)
	same(t, "postponed afterwards", false, s.postponed)
}

func TestNewLayoutDoesNotDelayOtherReloads(t *testing.T) {
	s := scheduled(t, time.Hour)
	s.ask(CauseConfiguration, s.now)
	s.ask("signal", s.now)
	s.isDue("another layout comes first", CauseConfiguration)
	wait, _ := s.failed(CauseConfiguration, errors.New("refused"), s.now)
	s.isDue("failed layout does not block other reloads", "signal")
	s.done("signal", s.now)
	s.after(wait)
	s.isDue("it is tried again", CauseConfiguration)
	s.demand(CauseDied, s.now)
	s.done(CauseConfiguration, s.now)
	s.isDue("its generation has all workers", "")

	s.ask(CauseConfiguration, s.now)
	same(t, "withdrawn", true, s.withdraw(CauseConfiguration))
	same(t, "withdrawn again", false, s.withdraw(CauseConfiguration))
	s.isDue("it became the layout before HAProxy serves", "")
}
