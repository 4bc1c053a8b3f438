package main

import (
	"bytes"
	"fmt"
	"io"
	"unicode"
	"unicode/utf16"
	"unicode/utf8"
)

// printable writes lines of the log on. What a terminal or a reader of lines might
// obey is escaped: slog leaves DEL as it is, and in JSON the control characters
// above ASCII and what turns the direction of text. JSON's values stay the same.
type printable struct{ to io.Writer }

func (p printable) Write(line []byte) (int, error) {
	text, end := bytes.CutSuffix(line, []byte("\n"))
	if bytes.ContainsFunc(text, isHidden) {
		text = escape(text)
		if end {
			text = append(text, '\n')
		}
	} else {
		text = line
	}
	if n, err := p.to.Write(text); err != nil {
		return min(n, len(line)), err
	}
	return len(line), nil
}

func isHidden(r rune) bool { return !unicode.IsPrint(r) }

// escape writes what is hidden as \u and four digits: outside of its strings JSON
// has nothing of that kind.
func escape(text []byte) []byte {
	out := make([]byte, 0, len(text)+16)
	for len(text) > 0 {
		r, size := utf8.DecodeRune(text)
		switch high, low := utf16.EncodeRune(r); {
		case !isHidden(r):
			out = append(out, text[:size]...)
		case high == unicode.ReplacementChar:
			out = fmt.Appendf(out, `\u%04x`, r)
		default:
			out = fmt.Appendf(out, `\u%04x\u%04x`, high, low)
		}
		text = text[size:]
	}
	return out
}
