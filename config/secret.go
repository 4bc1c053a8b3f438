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

var (
	errSecretTooLong = errors.New("the secret is too long")
	// errSecretVariable stands for an error that quotes the text.
	errSecretVariable = errors.New("the secret has a ${ that is no variable, or one that the environment does not set: correct it, or name a file that holds the secret, which is taken as it stands")
)

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

// secret reads what v has or the file that file names, whichever is there.
func (l *loader) secret(v, file value, f form[Secret]) (got Secret, set bool) {
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
