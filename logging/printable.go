package logging

import (
	"bytes"
	"fmt"
	"io"
	"strings"
	"unicode"
	"unicode/utf16"
	"unicode/utf8"
)

// printable passes log lines on with everything escaped that a terminal or a line reader
// might interpret: slog leaves DEL, and in JSON also control characters above ASCII and
// characters that change the direction of text. JSON values stay the same.
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

// escape writes unprintable characters as \u and four digits; JSON has them only in
// strings.
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

// Printable returns text with everything escaped that a terminal or a line reader might
// interpret.
func Printable(text string) string {
	if !strings.ContainsFunc(text, isHidden) {
		return text
	}
	return string(escape([]byte(text)))
}

// OneLine returns text as one line of at most limit bytes of valid UTF-8 that is safe on
// a terminal. White space becomes single spaces.
func OneLine(text string, limit int) string {
	line := []byte(strings.Join(strings.Fields(text), " "))
	if bytes.ContainsFunc(line, isHidden) {
		line = escape(line)
	}
	return strings.ToValidUTF8(string(line[:min(len(line), limit)]), "")
}
