package haproxy

import (
	"fmt"
	"os/exec"
	"testing"
	"time"
)

func TestEndOfLife(t *testing.T) {
	for _, test := range []struct {
		major, minor int
		at           time.Time
		ended        bool
		support      string
	}{
		{2, 0, day(2024, 6, 30), false, "released 2019-06, supported until 2024-06"},
		{2, 0, day(2024, 7, 1), true, "released 2019-06, past its end of life since 2024-06: gets no security fixes"},
		{2, 2, day(2026, 12, 1), true, "released 2020-07, past its end of life since 2025-06: gets no security fixes"},
		{2, 5, day(2026, 12, 1), true, "released 2021-11, past its end of life since 2023-03: gets no security fixes"},
		{2, 6, day(2026, 12, 1), false, "released 2022-05, supported until 2027-06"},
		{2, 6, day(2027, 7, 1), true, "released 2022-05, past its end of life since 2027-06: gets no security fixes"},
		{3, 4, day(2026, 12, 1), false, "released 2026-06, supported until 2031-06"},
		{1, 8, day(2026, 12, 1), false, ""},
		{3, 5, day(2036, 12, 1), false, ""},
	} {
		v := Version{Major: test.major, Minor: test.minor}
		if got := v.EndOfLife(test.at); got != test.ended {
			t.Errorf("%d.%d on %s: past its end of life is %t", v.Major, v.Minor, test.at.Format(time.DateOnly), got)
		}
		if got := v.Support(test.at); got != test.support {
			t.Errorf("%d.%d on %s: %q, want %q", v.Major, v.Minor, test.at.Format(time.DateOnly), got, test.support)
		}
	}
}

// The table has every branch from 2.0 on, in order, none of which ends before the next one
// is released.
func TestCalendarIsComplete(t *testing.T) {
	all := calendar()
	for i, b := range all {
		if b.major*10+b.minor != 20+i {
			t.Errorf("%d.%d is number %d", b.major, b.minor, i)
		}
		if i > 0 && (!b.released.After(all[i-1].released) || !all[i-1].ended.After(b.released)) {
			t.Errorf("%d.%d was released %s", b.major, b.minor, b.released.Format(time.DateOnly))
		}
		// Even branches are maintained for five years, the others for a year and a quarter.
		years := b.ended.Sub(b.released).Hours() / 24 / 365
		if long := years > 4.9; long != (b.minor%2 == 0) || years > 5.2 || years < 1.2 {
			t.Errorf("%d.%d is maintained for %.1f years", b.major, b.minor, years)
		}
	}
}

// The build of an image warns of the same branches, as of the month that its script names.
func TestBuildWarnsOfTheSameBranches(t *testing.T) {
	for _, b := range calendar() {
		image := fmt.Sprintf("haproxy:%d.%d", b.major, b.minor)
		output, err := exec.CommandContext(t.Context(), "../build/image/end-of-life", image).CombinedOutput()
		if err != nil {
			t.Fatalf("%s: %v\n%s", image, err, output)
		}
		v := Version{Major: b.major, Minor: b.minor}
		if warns := len(output) > 0; warns != v.EndOfLife(day(2026, 11, 1)) {
			t.Errorf("%s: the build warns %t", image, warns)
		}
	}
}
