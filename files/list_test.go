package files

import (
	"bytes"
	"strings"
	"testing"
)

func FuzzList(f *testing.F) {
	for _, text := range []string{"", "# none\n", "10.0.0.1:80\n10.0.0.2:80 {\"weight\": 3}\r\n", "\x00\n\ta b", "\xff\xfe"} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		lines := bytes.Count(text, []byte("\n")) + 1
		children := parseList(text)
		if len(children) > lines {
			t.Errorf("%d children in %d lines", len(children), lines)
		}
		for _, c := range children {
			if c.name == "" || strings.HasPrefix(c.name, "#") || strings.ContainsAny(c.name, " \t\n\x00") || bytes.ContainsAny(c.data, "\n\x00") {
				t.Errorf("%q %q", c.name, c.data)
			}
		}
	})
}
