package membership

import (
	"slices"
	"testing"
	"time"

	"github.com/haproxy-zk/haproxy-zk/registry"
)

// story is a group and its facts, driven step by step.
type story struct {
	*Group
	world
	t   *testing.T
	now time.Time
}

// servingGroup returns a group whose instances have been in service for an hour.
func servingGroup(t *testing.T, last ...int) *story {
	t.Helper()
	s := &story{Group: New("web", 0), world: world{freeServers: 10}, t: t, now: time.Unix(1<<30, 0)}
	s.registers(last...)
	s.after(time.Hour)
	return s
}

func (s *story) after(d time.Duration) { s.now = s.now.Add(d) }

// registers sets the registered instances, and decides.
func (s *story) registers(last ...int) Decision {
	s.See(registry.Group{Name: "web", Instances: instances(last...)}, s.Up, s.now)
	return s.decides()
}

func (s *story) decides() Decision {
	d := s.Decide(&s.world, false, s.now)
	s.serves = s.Meant()
	return d
}

func (s *story) isMeant(what string, want ...int) {
	s.t.Helper()
	same(s.t, what, want, lastOf(s.Meant()))
}

func TestMovingInstanceEntersAfterLeavingOldGroup(t *testing.T) {
	s := servingGroup(t, 1, 2)
	s.elsewhere = []int{3, 4}
	s.registers(1, 2, 3, 4)
	s.isMeant("both may still be elsewhere", 1, 2)
	same(t, "they wait for", moveWait, s.NextEntry().Sub(s.now))
	s.elsewhere = []int{4}
	s.decides()
	s.isMeant("one has left the other group", 1, 2, 3)
	s.after(moveWait)
	s.decides()
	s.isMeant("the other one stays in both", 1, 2, 3, 4)
	same(t, "none waits", time.Time{}, s.NextEntry())
}

func TestHeldInstancesAreReviewedUntilTimeout(t *testing.T) {
	s := servingGroup(t, 1, 2, 3)
	d := s.registers()
	same(t, "it begins", true, d.Began)
	same(t, "held", []int{1, 2, 3}, lastOf(s.Held()))
	ask := s.now.Add(time.Second)
	same(t, "next", ask, s.NextReview(ask))
	same(t, "their health is asked for when that is due", true, s.NeedsHealth(&s.world, true, false, s.now))
	s.after(holdFor - 1)
	s.decides()
	same(t, "the end is the next", s.now.Add(1), s.NextReview(s.now.Add(time.Second)))
	s.after(1)
	same(t, "over", "hold timeout reached", s.decides().Over)
	s.isMeant("none held")
	same(t, "next", time.Time{}, s.NextReview(s.now))
	same(t, "their health is asked for", false, s.NeedsHealth(&s.world, true, false, s.now))
}

func TestLastInstanceStaysForGracePeriod(t *testing.T) {
	s := servingGroup(t, 1)
	same(t, "it begins to be held", false, s.registers().Began)
	s.isMeant("it stays", 1)
	same(t, "none counts as held", 0, s.HeldCount())
	same(t, "next, whenever health is asked for", s.now.Add(emptyWait), s.NextReview(s.now.Add(time.Millisecond)))
	s.after(emptyWait)
	s.decides()
	s.isMeant("it left")
}

func TestHealthIsReadBeforeLossIsJudged(t *testing.T) {
	s := servingGroup(t, 1, 2, 3, 4)
	s.See(registry.Group{Instances: instances(2, 3, 4)}, s.Up, s.now)
	same(t, "one of four", false, s.NeedsHealth(&s.world, false, false, s.now))
	s.decides()
	s.See(registry.Group{Instances: instances(4)}, s.Up, s.now)
	same(t, "three of four", true, s.NeedsHealth(&s.world, false, false, s.now))
	s.unguarded = true
	same(t, "not guarded", false, s.NeedsHealth(&s.world, false, false, s.now))
}

func TestReleasedInstancesLeave(t *testing.T) {
	s := servingGroup(t, 1, 2, 3)
	s.registers()
	s.Release()
	same(t, "changed", true, s.decides().Changed)
	s.isMeant("none held")
	s.registers()
	s.isMeant("the same list again")
}

func TestFollowCopiesTheStateOfTheGroup(t *testing.T) {
	s := servingGroup(t, 1, 2, 3)
	s.registers()
	next := New("web", 50)
	next.Follow(s.Group)
	same(t, "read", true, next.Read())
	same(t, "held", []int{1, 2, 3}, lastOf(next.Held()))
	s.Release()
	same(t, "held, whatever becomes of the other", []int{1, 2, 3}, lastOf(next.Held()))
	same(t, "half of what there was is its share", true, next.Excessive(0, 3))
}

// A decision stands until something changes, so it costs nothing however large the
// group is.
func TestUnchangedDecisionIsNotRecomputed(t *testing.T) {
	s := servingGroup(t, 1, 2, 3, 4, 5)
	s.after(time.Hour)
	s.decides()
	f := Facts(&s.world)
	if n := testing.AllocsPerRun(10, func() { s.Decide(f, false, s.now) }); n > 0 {
		t.Errorf("it makes %.0f objects", n)
	}
	if !s.decidedAlready() {
		t.Error("it is decided again")
	}
	list := s.Registered()
	list.Instances = slices.Clone(list.Instances)
	s.See(list, s.Up, s.now)
	if !registry.SameList(s.Registered().Instances, s.Meant()) {
		t.Error("an equal list takes the place of the one that was decided on")
	}
}
