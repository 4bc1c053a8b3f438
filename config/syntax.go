package config

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"unicode/utf8"
)

const whitespace = " \t\r\n"

// checkSyntax returns why data is not one JSON value in UTF-8, and the offset.
func checkSyntax(data []byte) (at int, err error) {
	text := bytes.TrimRight(data, whitespace)
	switch {
	case len(text) == 0:
		return 0, errors.New("the file is empty: write the proxies as a JSON object")
	case bytes.HasPrefix(data, []byte("\ufeff")):
		return 0, errors.New("not valid JSON: the file begins with a byte order mark: save it as UTF-8 without one")
	case !utf8.Valid(data):
		return invalidUTF8(data), errors.New("not valid JSON: the text is not UTF-8: save the file as such")
	}
	var raw json.RawMessage
	err = json.Unmarshal(data, &raw)
	if err == nil {
		return 0, nil
	}
	if syntax, ok := errors.AsType[*json.SyntaxError](err); ok {
		// Offset counts the unexpected byte; if the file ends too early, report its last
		// non-blank line.
		at = max(0, min(int(syntax.Offset)-1, len(text)))
	}
	return at, fmt.Errorf("not valid JSON: %w%s", err, hint(text, at))
}

// hint returns the remedy for common mistakes.
func hint(text []byte, at int) string {
	if at >= len(text) {
		return ""
	}
	switch text[at] {
	case '/', '#':
		return ": JSON has no comments, remove it"
	case '}', ']':
		if bytes.HasSuffix(bytes.TrimRight(text[:at], whitespace), []byte(",")) {
			return ": remove the comma before it"
		}
	case '\'':
		return `: write strings in "double quotes"`
	}
	return ""
}

func invalidUTF8(data []byte) int {
	at := 0
	for at < len(data) {
		r, size := utf8.DecodeRune(data[at:])
		if r == utf8.RuneError && size == 1 {
			break
		}
		at += size
	}
	return at
}
