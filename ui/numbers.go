package ui

import (
	"math"
	"strconv"
	"time"
)

// None is shown for what is not known.
const none = "–"

// coarse rounds to a power of two, so that rows sorted by a number that always moves
// seldom change places.
func coarse(n float64) float64 {
	if n <= 0 {
		return 0
	}
	return math.Round(math.Log2(n)*2) + 1000
}

// count writes a number with a space between thousands.
func count(n uint64) string {
	digits := strconv.FormatUint(n, 10)
	for i := len(digits) - 3; i > 0; i -= 3 {
		digits = digits[:i] + "\u202f" + digits[i:]
	}
	return digits
}

// rate writes a rate per second.
func (f *Figures) rate() string {
	switch {
	case !f.Rated:
		return none
	case f.Rate == 0:
		return "0"
	case f.Rate < 0.1:
		return "<0.1"
	case f.Rate < 10:
		return strconv.FormatFloat(f.Rate, 'f', 1, 64)
	}
	return count(uint64(math.Round(f.Rate)))
}

// share writes the share of errors in percent.
func (f *Figures) share() string {
	percent := 100 * f.Share
	switch {
	case !f.Rated || !f.HTTP:
		return none
	case percent == 0:
		return "0"
	case percent < 0.1:
		return "<0.1"
	case percent < 10:
		return strconv.FormatFloat(percent, 'f', 1, 64)
	}
	return strconv.FormatFloat(percent, 'f', 0, 64)
}

// shareTone is the color of the share.
func (f *Figures) shareTone() tone {
	switch {
	case f.Share >= manyErrors:
		return bad
	case f.Share >= someErrors:
		return warn
	}
	return ""
}

// response writes the response time, which only HTTP has.
func (f *Figures) response() string {
	if !f.HTTP {
		return none
	}
	return took(f.ResponseTime)
}

// roughly keeps one digit of a duration above 10 ms, which otherwise always moves.
func roughly(d time.Duration) time.Duration {
	for unit := 10 * time.Millisecond; unit <= time.Hour; unit *= 10 {
		if d < 10*unit {
			if d < unit {
				return d
			}
			return d.Round(unit)
		}
	}
	return d
}

// took writes a duration coarsely: below a millisecond it is noise.
func took(d time.Duration) string {
	switch {
	case d <= 0:
		return "0 ms"
	case d < time.Millisecond:
		return "<1 ms"
	case d < time.Second:
		return strconv.FormatInt(d.Round(time.Millisecond).Milliseconds(), 10) + " ms"
	case d < 10*time.Second:
		return strconv.FormatFloat(d.Seconds(), 'f', 1, 64) + " s"
	}
	return strconv.FormatFloat(d.Seconds(), 'f', 0, 64) + " s"
}
