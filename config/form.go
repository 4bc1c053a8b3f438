package config

import (
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// form describes which JSON values a key takes and what they mean.
type form[T any] struct {
	// give completes the sentence "give …" of a message.
	give string
	// kinds are the kinds allowed besides a string.
	kinds []kind
	// ours are the predefined names in ${…}, which are not environment variables.
	ours []string
	// mayBeEmpty allows "".
	mayBeEmpty bool
	// secret is true for text that no message may quote. From the environment it is taken
	// literally: a password may contain ${.
	secret bool
	// literal is true for text that is always taken literally.
	literal bool
	// parse gets a text without control characters; its error says what is wrong, but not
	// what to give.
	parse func(text string) (T, error)
}

// read returns the meaning of a key's value, or reports what is wrong with it and returns
// zero. A missing key reads as its fallback, or as zero without one.
func read[T any](o *object, key string, f form[T], fallback string) T {
	got, _ := interpret(o.loader, o.get(key, fallback), f)
	return got
}

// interpret returns the meaning of v, or reports what is wrong with it.
func interpret[T any](l *loader, v value, f form[T]) (got T, ok bool) {
	text, ok := textOf(l, v, f)
	if !ok {
		return got, false
	}
	got, err := f.parse(text)
	if err != nil {
		l.errorf(v.at, v.key, "%v: give %s", err, f.give)
		return *new(T), false
	}
	return got, true
}

// textOf returns a scalar as text, with environment variables expanded.
func textOf[T any](l *loader, v value, f form[T]) (text string, ok bool) {
	if v.missing() || v.isDefault {
		return v.text, v.isDefault && !v.missing()
	}
	if v.kind != isText && !slices.Contains(f.kinds, v.kind) {
		l.errorf(v.at, v.key, "found %s: give %s", v.kind, f.give)
		return "", false
	}
	if text = v.text; !f.literal && (!f.secret || l.variables == nil) {
		lookup := l.env.Lookup
		if f.secret {
			lookup = l.lookupSecret
		}
		expanded, err := expand(text, f.ours, lookup)
		if err != nil && f.secret {
			err = errSecretVariable
		}
		if err != nil {
			l.errorf(v.at, v.key, "%v", err)
			return "", false
		}
		text = expanded
	}
	quoted := strconv.Quote(text)
	if f.secret {
		quoted = "the secret"
	}
	switch {
	case !utf8.ValidString(text):
		l.errorf(v.at, v.key, "%s is not UTF-8: correct it", quoted)
	case strings.ContainsFunc(text, unicode.IsControl):
		l.errorf(v.at, v.key, "%s has a line break or another control character: remove it", quoted)
	case strings.TrimSpace(text) == "" && !f.mayBeEmpty:
		l.errorf(v.at, v.key, "%s is empty: give %s", quoted, f.give)
	default:
		return text, true
	}
	return "", false
}
