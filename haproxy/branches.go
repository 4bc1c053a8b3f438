package haproxy

import (
	"fmt"
	"time"
)

// Recommended is a branch that a version past its end of life can be replaced with: each
// change is tested on it, and it has long-term support.
const Recommended = "3.2"

// branch is a branch of HAProxy with the dates that https://www.haproxy.org announces.
type branch struct {
	major, minor int
	released     time.Time
	// ended is the moment at which support ends: the quarter announced is over.
	ended time.Time
}

// calendar returns the branches, the oldest first.
func calendar() []branch {
	return []branch{
		{2, 0, day(2019, 6, 16), quarter(2024, 2)},
		{2, 1, day(2019, 11, 25), quarter(2021, 1)},
		{2, 2, day(2020, 7, 7), quarter(2025, 2)},
		{2, 3, day(2020, 11, 5), quarter(2022, 1)},
		{2, 4, day(2021, 5, 14), quarter(2026, 2)},
		{2, 5, day(2021, 11, 23), quarter(2023, 1)},
		{2, 6, day(2022, 5, 31), quarter(2027, 2)},
		{2, 7, day(2022, 12, 1), quarter(2024, 1)},
		{2, 8, day(2023, 5, 31), quarter(2028, 2)},
		{2, 9, day(2023, 12, 5), quarter(2025, 1)},
		{3, 0, day(2024, 5, 29), quarter(2029, 2)},
		{3, 1, day(2024, 11, 26), quarter(2026, 1)},
		{3, 2, day(2025, 5, 28), quarter(2030, 2)},
		{3, 3, day(2025, 11, 26), quarter(2027, 1)},
		{3, 4, day(2026, 6, 3), quarter(2031, 2)},
	}
}

func day(year int, month time.Month, day int) time.Time {
	return time.Date(year, month, day, 0, 0, 0, 0, time.UTC)
}

// quarter returns the moment at which a quarter is over, from 1 to 4.
func quarter(year, number int) time.Time { return day(year, time.Month(3*number+1), 1) }

// branch returns the dates of the version's branch; false if they are unknown.
func (v Version) branch() (branch, bool) {
	for _, b := range calendar() {
		if b.major == v.Major && b.minor == v.Minor {
			return b, true
		}
	}
	return branch{}, false
}

// EndOfLife reports whether HAProxy's authors no longer maintain the version's branch at
// that time; false if the branch is unknown.
func (v Version) EndOfLife(now time.Time) bool {
	b, known := v.branch()
	return known && !now.Before(b.ended)
}

// Support returns when the version's branch was released and until when it is maintained,
// as seen at that time; empty if the branch is unknown.
func (v Version) Support(now time.Time) string {
	b, known := v.branch()
	if !known {
		return ""
	}
	const month = "2006-01"
	last := b.ended.AddDate(0, -1, 0).Format(month)
	if v.EndOfLife(now) {
		return fmt.Sprintf("released %s, past its end of life since %s: gets no security fixes", b.released.Format(month), last)
	}
	return fmt.Sprintf("released %s, supported until %s", b.released.Format(month), last)
}

// Describe returns what users should know of the version at that time, in short lines:
// [Version.Support] if it is known, then [Version.Capabilities].
func (v Version) Describe(now time.Time) []string {
	var lines []string
	if support := v.Support(now); support != "" {
		lines = append(lines, support)
	}
	return append(lines, v.Capabilities()...)
}
