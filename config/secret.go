package config

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"strings"
)

// Admin is the user who may make changes on HAProxy's stats page. Without a user the page
// is read-only; User and Password are both set or both empty.
type Admin struct {
	// User has no colon, no space, no quotes and no comma.
	User string
	// Password is one line of UTF-8 of at most 256 bytes; it may contain any printable
	// character, to be escaped for HAProxy.
	Password Secret
}

// Secret is a text that prints, logs and marshals as "[secret]", even if empty. Three ways
// around it cannot be closed here: fmt with the verb %p, fmt inside an unexported field of
// a struct, and encoding/json as the key of a map.
type Secret string

const hidden = "[secret]"

// Reveal returns the text.
func (s Secret) Reveal() string { return string(s) }

// String returns "[secret]".
func (s Secret) String() string { return hidden }

// GoString returns "[secret]".
func (s Secret) GoString() string { return hidden }

// Format writes "[secret]" for every verb, even invalid ones.
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

var (
	errSecretTooLong = errors.New("the secret is too long")
	// errSecretVariable replaces an error that quotes the text.
	errSecretVariable = errors.New("the secret has a ${ that is not a variable, or one that is not set: correct it, or name a file that holds the secret, which is taken literally")
)

func secretForm() form[Secret] {
	return form[Secret]{
		give:   fmt.Sprintf("one line of at most %d bytes", maxSecret),
		secret: true,
		parse: func(text string) (Secret, error) {
			if len(text) > maxSecret {
				return "", errSecretTooLong
			}
			return Secret(text), nil
		},
	}
}

// readSecret reads the value v or the file that file names, whichever is set.
func (l *loader) readSecret(v, file value, f form[Secret]) (got Secret, set bool) {
	if file.missing() {
		got, _ = interpret(l, v, f)
		return got, !v.missing()
	}
	if !v.missing() {
		l.errorf(file.at, file.key, "%s is set as well: set only one of them", v.key)
		return "", true
	}
	path, ok := interpret(l, file, plainFile())
	if !ok {
		return "", true
	}
	data, err := l.env.ReadFile(path)
	if err != nil {
		l.errorf(file.at, file.key, "%q cannot be read: %v: name a file that holds the secret", path, err)
		return "", true
	}
	f.literal = true
	text := strings.TrimSuffix(strings.TrimSuffix(string(data), "\n"), "\r")
	got, _ = interpret(l, value{node: node{kind: isText, at: file.at, text: text}, key: file.key}, f)
	return got, true
}
