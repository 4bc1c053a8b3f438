package streak

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
)

// attempts fails every second for a while and returns the lines that are due.
func attempts(s *Streak, n int, reason func(i int) string) (lines []string) {
	for i := range n {
		if attrs, due := s.Failed(time.Now(), reason(i)); due {
			lines = append(lines, fmt.Sprintf("%d %v", i, attrs))
		}
		<-time.After(time.Second)
	}
	return lines
}

func TestRepeatedFailureIsLoggedFirstThenEveryMinuteThenItsEnd(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var s Streak
		lines := attempts(&s, 150, func(i int) string { return fmt.Sprintf("port %d refused", i) })
		want := []string{"0 []", "60 [failures 61 failing_for 1m0s]", "120 [failures 121 failing_for 2m0s]"}
		if diff := cmp.Diff(want, lines); diff != "" {
			t.Errorf("-want +got\n%s", diff)
		}
		attrs, ended := s.Over(time.Now())
		if got := fmt.Sprint(attrs); !ended || got != "[failures 150 failed_for 2m30s]" {
			t.Errorf("%v, %s", ended, got)
		}
		if _, ended := s.Over(time.Now()); ended || s.Failing() {
			t.Error("it ended twice")
		}
		if attrs, due := s.Failed(time.Now(), "port 1 refused"); !due || len(attrs) > 0 {
			t.Errorf("the next streak began with %v, %v", due, attrs)
		}
	})
}

func TestAnotherReasonIsLoggedAtOnce(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var s Streak
		lines := attempts(&s, 30, func(i int) string {
			if i < 10 || i%2 == 0 {
				return "disk full"
			}
			return "permission denied"
		})
		want := []string{"0 []", "11 [failures 12 failing_for 11s]"}
		if diff := cmp.Diff(want, lines); diff != "" {
			t.Errorf("-want +got\n%s", diff)
		}
	})
}

func TestEndlessReasonsAreBounded(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var s Streak
		lines := attempts(&s, 3000, func(i int) string { return fmt.Sprintf("%c", 'a'+i) })
		if most := maxReasons + 3000/60; len(lines) > most || len(s.reasons) > maxReasons {
			t.Errorf("%d lines of 3000 failures, not %d; %d reasons", len(lines), most, len(s.reasons))
		}
	})
}
