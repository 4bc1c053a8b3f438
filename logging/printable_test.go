package logging

import (
	"bytes"
	"encoding/json"
	"errors"
	"log/slog"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
)

// broken is a writer that takes nothing.
type broken struct{}

func (broken) Write([]byte) (int, error) { return 0, errors.New("broken") }

func TestPrintable(t *testing.T) {
	for line, want := range map[string]string{
		"{\"a\":\"b\"}\n":                              "{\"a\":\"b\"}\n",
		"{\"a\":\"ü€😀\"}\n":                            "{\"a\":\"ü€😀\"}\n",
		"{\"a\":\"\x7f\u0085\u009b\u202e\"}\n":         "{\"a\":\"\\u007f\\u0085\\u009b\\u202e\"}\n",
		"{\"a\":\"\U000e0041\"}":                       "{\"a\":\"\\udb40\\udc41\"}",
		"{\"a\":\"\\u001b[31m\",\"b\":\"\ufeff\"}\n\n": "{\"a\":\"\\u001b[31m\",\"b\":\"\\ufeff\"}\\u000a\n",
	} {
		var got bytes.Buffer
		n, err := printable{&got}.Write([]byte(line))
		if err != nil || n != len(line) {
			t.Errorf("%q: wrote %d, %v", line, n, err)
		}
		if diff := cmp.Diff(want, got.String()); diff != "" {
			t.Errorf("-want +got\n%s", diff)
		}
	}
	if n, err := (printable{broken{}}).Write([]byte("x\x7f\n")); n != 0 || err == nil {
		t.Errorf("wrote %d, %v", n, err)
	}
}

// FuzzLogLine checks that any message is logged as one line of printable characters, in
// both formats.
func FuzzLogLine(f *testing.F) {
	for _, text := range []string{"", "GET /\x1b]0;x\x07 HTTP/1.1", "a\nb", "a\u2028b\u0085c", "\xff\xfe", `"},{"`, "\u202egnp.exe", "\U000e0041", strings.Repeat("é", 2000)} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		for _, format := range []string{"json", "text"} {
			var out bytes.Buffer
			New(Options{Level: slog.LevelInfo, Format: format}, &out).With("proxy", text).Info("haproxy", "line", text, "error", errors.New(text), "names", []string{text})
			line, ended := strings.CutSuffix(out.String(), "\n")
			if !ended || !utf8.ValidString(line) || strings.ContainsFunc(line, func(r rune) bool { return !unicode.IsPrint(r) }) {
				t.Fatalf("%s: %q", format, out.String())
			}
			if format == "text" {
				continue
			}
			var record struct {
				Proxy, Line, Error string
				Names              []string
			}
			if err := json.Unmarshal([]byte(line), &record); err != nil {
				t.Fatalf("%v in %q", err, line)
			}
			want := strings.ToValidUTF8(text, "")
			for _, got := range []string{record.Proxy, record.Line, record.Error, record.Names[0]} {
				if strings.ReplaceAll(got, "\ufffd", "") != strings.ReplaceAll(want, "\ufffd", "") {
					t.Errorf("%q is logged as %q", text, got)
				}
			}
		}
	})
}
