package report

import (
	"fmt"
	"time"
)

// ago returns how long ago a time was, as people say it: 12s, 5m, 3h20m, 4d.
func ago(then, now time.Time) string {
	d := max(0, now.Sub(then))
	switch {
	case d < 2*time.Minute:
		return fmt.Sprintf("%ds", int(d.Seconds()))
	case d < 2*time.Hour:
		return fmt.Sprintf("%dm", int(d.Minutes()))
	case d < 48*time.Hour:
		return fmt.Sprintf("%dh%02dm", int(d.Hours()), int(d.Minutes())%60)
	}
	return fmt.Sprintf("%dd", int(d.Hours())/24)
}

// at returns a time of day, with the date if it was on another day.
func at(then, now time.Time) string {
	then = then.In(now.Location())
	if then.Year() == now.Year() && then.YearDay() == now.YearDay() {
		return then.Format(time.TimeOnly)
	}
	return then.Format(time.DateTime)
}

// since returns when something began, and how long ago that is.
func since(then, now time.Time) string {
	return fmt.Sprintf("since %s (%s)", at(then, now), ago(then, now))
}

// seconds returns a duration for people.
func seconds(s float64) string {
	d := time.Duration(s * float64(time.Second))
	switch {
	case d == 0:
		return "0s"
	case d < 10*time.Millisecond:
		return fmt.Sprintf("%.1fms", 1e3*d.Seconds())
	case d < time.Second:
		return d.Round(time.Millisecond).String()
	}
	return d.Round(100 * time.Millisecond).String()
}
