package chaos

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func drawn(seed uint64, calm, total time.Duration) (all []string, steps []step) {
	for _, l := range lanes() {
		for _, s := range l.draw(seed, calm, total) {
			all, steps = append(all, s.String()), append(steps, s)
		}
	}
	return all, steps
}

func TestSameSeedGivesTheSameFaults(t *testing.T) {
	first, _ := drawn(7, 20*time.Second, time.Minute)
	second, _ := drawn(7, 20*time.Second, time.Minute)
	if diff := cmp.Diff(first, second); diff != "" {
		t.Errorf("-first +second\n%s", diff)
	}
	if other, _ := drawn(8, 20*time.Second, time.Minute); cmp.Equal(first, other) {
		t.Error("another seed gives the same")
	}
}

func TestSameStepGivesTheSameNumbers(t *testing.T) {
	_, steps := drawn(7, 0, time.Minute)
	for _, s := range steps {
		if a, b := s.rand().Uint64(), s.rand().Uint64(); a != b {
			t.Errorf("%s: %d, then %d", s, a, b)
		}
	}
}

func TestCalmPhaseKillsNothing(t *testing.T) {
	const calm, total = 10 * time.Minute, time.Hour
	killed := false
	_, steps := drawn(7, calm, total)
	for _, s := range steps {
		if s.fault.kills && s.at < calm {
			t.Errorf("%s", s)
		}
		killed = killed || s.fault.kills
	}
	if !killed {
		t.Error("nothing is ever killed")
	}
}

// One at a time per lane, with durations within the bounds, and within the run.
func TestFaultsOfALaneDoNotOverlap(t *testing.T) {
	const total = time.Hour
	for _, l := range lanes() {
		end := time.Duration(0)
		for i, s := range l.draw(7, 0, total) {
			if pause := s.at - end; i > 0 && (pause < l.least || pause > l.most) || s.at >= total {
				t.Errorf("%s after %s", s, end)
			}
			if s.lasts < s.fault.least || s.lasts > s.fault.most {
				t.Errorf("%s: it lasts from %s to %s", s, s.fault.least, s.fault.most)
			}
			end = s.at + s.lasts
		}
	}
}

// Faults with a higher weight are more frequent, and every fault occurs.
func TestFaultsAreDrawnByWeight(t *testing.T) {
	l := lane{name: "test", least: time.Second, most: time.Second, faults: []fault{{name: "one", weight: 1}, {name: "three", weight: 3}}}
	count := make(map[string]int)
	for _, s := range l.draw(7, 0, 4000*time.Second) {
		count[s.fault.name]++
	}
	if one := count["one"]; one < 900 || one > 1100 || one+count["three"] != 4000 && one+count["three"] != 3999 {
		t.Errorf("%v of 4000 with weights 1 and 3", count)
	}
	var missing []string
	_, steps := drawn(7, 0, 10*time.Hour)
	for _, l := range lanes() {
		for _, f := range l.faults {
			if !slices.ContainsFunc(steps, func(s step) bool { return s.lane == l.name && s.fault.name == f.name }) {
				missing = append(missing, fmt.Sprintf("%s/%s", l.name, f.name))
			}
		}
	}
	if len(missing) > 0 {
		t.Errorf("these never come: %v", missing)
	}
}
