package haproxy

import (
	"bytes"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"
)

// FuzzReadReplies checks how the input from a socket is split into replies.
func FuzzReadReplies(f *testing.F) {
	f.Add("\n", 1)
	f.Add("Pid: 1\nName: x\n\n\n", 2)
	f.Add("no end", 1)
	f.Fuzz(func(t *testing.T, text string, n int) {
		n = 1 + n&15
		replies, err := readAll(strings.NewReader(text), n, maxReply)
		if err != nil {
			oneLine(t, err)
			return
		}
		if len(replies) != n {
			t.Fatalf("%d replies of %d", len(replies), n)
		}
		again := ""
		for _, reply := range replies {
			if strings.HasPrefix(reply, "\n") || strings.Contains(reply, "\n\n") {
				t.Errorf("an empty line in %q", reply)
			}
			if again += reply + "\n"; reply != "" {
				again += "\n"
			}
		}
		if !strings.HasPrefix(text, again) {
			t.Errorf("%q became %q", text, replies)
		}
	})
}

func oneLine(t *testing.T, err error) {
	t.Helper()
	if err == nil {
		return
	}
	if text := err.Error(); len(text) > 3000 || !utf8.ValidString(text) || strings.ContainsFunc(text, func(r rune) bool { return !unicode.IsPrint(r) }) {
		t.Errorf("error %q", text)
	}
}

// FuzzSplitRecords checks that records are consecutive parts of the input, none larger than
// HAProxy's largest.
func FuzzSplitRecords(f *testing.F) {
	f.Add([]byte(plainRecord + namedRecord))
	f.Add([]byte("\xff"))
	f.Fuzz(func(t *testing.T, data []byte) {
		rest := data
		for _, record := range splitRecords(data) {
			if len(record) <= recordTail || !bytes.HasPrefix(rest, record) {
				t.Fatalf("record %q of %q", record, rest)
			}
			rest = rest[len(record):]
		}
		if more := splitRecords(rest); len(more) > 0 {
			t.Errorf("%q is left", rest)
		}
	})
}
