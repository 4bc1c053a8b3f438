package config

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

// maxDuration bounds durations: HAProxy counts milliseconds in 31 bits, slightly more than
// 24 days.
const maxDuration = 24 * 24 * time.Hour

var seconds = regexp.MustCompile(`^[0-9]+(\.[0-9]+)?$`)

func anyText(give string) form[string] {
	return form[string]{give: give, parse: func(text string) (string, error) { return text, nil }}
}

func oneOf(words ...string) form[string] {
	return form[string]{
		give: `"` + strings.Join(words, `" or "`) + `"`,
		parse: func(text string) (string, error) {
			if !slices.Contains(words, text) {
				return "", fmt.Errorf("%q is not known", text)
			}
			return text, nil
		},
	}
}

func port() form[uint16] {
	return form[uint16]{
		give:  "a number from 1 to 65535",
		kinds: []kind{isNumber},
		parse: func(text string) (uint16, error) {
			n, err := strconv.ParseUint(text, 10, 16)
			if err != nil || n == 0 {
				return 0, fmt.Errorf("%q is not a port", text)
			}
			return uint16(n), nil
		},
	}
}

// count is a number, at least one.
func count(most int) form[int] {
	return form[int]{
		give:  fmt.Sprintf("a number from 1 to %d", most),
		kinds: []kind{isNumber},
		parse: func(text string) (int, error) {
			n, err := strconv.Atoi(text)
			if err != nil || n < 1 || n > most {
				return 0, fmt.Errorf("%q is invalid", text)
			}
			return n, nil
		},
	}
}

func percentage() form[int] {
	return form[int]{
		give: `a percentage from "1%" to "100%"`,
		parse: func(text string) (int, error) {
			number, percent := strings.CutSuffix(text, "%")
			n, err := strconv.Atoi(number)
			if err != nil || !percent || n < 1 || n > 100 {
				return 0, fmt.Errorf("%q is not a percentage", text)
			}
			return n, nil
		},
	}
}

func boolean() form[bool] {
	return form[bool]{
		give:  "true or false",
		kinds: []kind{isFlag},
		parse: func(text string) (bool, error) {
			if text != "true" && text != "false" {
				return false, fmt.Errorf("%q is not a boolean", text)
			}
			return text == "true", nil
		},
	}
}

// optional distinguishes a given value from a missing one, which is nil.
func optional[T any](f form[T]) form[*T] {
	return form[*T]{
		give: f.give, kinds: f.kinds, ours: f.ours, mayBeEmpty: f.mayBeEmpty,
		parse: func(text string) (*T, error) {
			got, err := f.parse(text)
			return &got, err
		},
	}
}

// duration is a duration as in Go, or a plain number of seconds.
func duration(shortest time.Duration) form[time.Duration] {
	return form[time.Duration]{
		give:  fmt.Sprintf(`a duration such as "10s", or a number of seconds, from %v to %vh`, shortest, maxDuration.Hours()),
		kinds: []kind{isNumber},
		parse: func(text string) (time.Duration, error) {
			unit := ""
			if seconds.MatchString(text) {
				unit = "s"
			}
			d, err := time.ParseDuration(text + unit)
			switch {
			case err != nil:
				return 0, fmt.Errorf("%q is not a duration", text)
			case d < shortest || d > maxDuration:
				return 0, fmt.Errorf("%q is out of range", text)
			case d%time.Millisecond != 0:
				return 0, fmt.Errorf("%q is finer than a millisecond", text)
			}
			return d, nil
		},
	}
}
