package config

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"strings"
)

// Admin is who may change things on HAProxy's stats page. Without a user the
// page only shows; User and Password are both set or both empty.
type Admin struct {
	// User has no colon, no space, no quotes and no comma.
	User string
	// Password is one line of UTF-8 of at most 256 bytes; any printable
	// character can be in it, which is to be escaped where HAProxy reads it.
	Password Secret
}

// Secret is a text that prints, logs and marshals as "[secret]", empty or not.
// Three ways around it are not ours to close: fmt with the verb %p, fmt inside
// an unexported field of a struct, and encoding/json as the key of a map.
type Secret string

const hidden = "[secret]"

// Reveal returns the text.
func (s Secret) Reveal() string { return string(s) }

// String returns "[secret]".
func (s Secret) String() string { return hidden }

// GoString returns "[secret]".
func (s Secret) GoString() string { return hidden }

// Format writes "[secret]" for every verb, also for those that fit no text.
func (s Secret) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, hidden) }

// MarshalText returns "[secret]" and no error.
func (s Secret) MarshalText() ([]byte, error) { return []byte(hidden), nil }

// LogValue returns "[secret]".
func (s Secret) LogValue() slog.Value { return slog.StringValue(hidden) }

func userName() form[string] {
	return form[string]{
		give: `a name without spaces, colons, commas, quotes, \ and #`,
		parse: func(text string) (string, error) {
			if !oneWord.MatchString(text) || strings.Contains(text, ":") {
				return "", fmt.Errorf("%q cannot be a user", text)
			}
			return text, nil
		},
	}
}

var errSecretTooLong = errors.New("the secret is too long")

func secret() form[Secret] {
	return form[Secret]{
		give:   fmt.Sprintf("one line of at most %d bytes", longestSecret),
		secret: true,
		parse: func(text string) (Secret, error) {
			if len(text) > longestSecret {
				return "", errSecretTooLong
			}
			return Secret(text), nil
		},
	}
}
