package supervisor

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"
)

// FuzzReadPIDs checks that a pid file yields only process ids, never that of process 1,
// and that its text cannot inject a line into the log.
func FuzzReadPIDs(f *testing.F) {
	f.Fuzz(func(t *testing.T, text []byte) {
		path := filepath.Join(t.TempDir(), "pid")
		if err := os.WriteFile(path, text, 0o600); err != nil {
			t.Fatal(err)
		}
		pids, err := readPIDs(path)
		for _, pid := range pids {
			if pid < 2 {
				t.Errorf("process %d", pid)
			}
		}
		if err == nil {
			return
		}
		printed := strings.ReplaceAll(err.Error(), path, "")
		if !utf8.ValidString(printed) || strings.ContainsFunc(printed, func(r rune) bool { return !unicode.IsPrint(r) }) || len(printed) > 300 {
			t.Errorf("error %q", printed)
		}
	})
}

// FuzzLogMessage checks that only the header and the final line break are removed from a
// datagram.
func FuzzLogMessage(f *testing.F) {
	f.Fuzz(func(t *testing.T, line string) {
		got := parseLogLine(line).Text
		header, found := strings.CutSuffix(strings.TrimRight(line, "\n\x00"), got)
		if !found {
			t.Errorf("%q of %q", got, line)
		}
		if header != "" && (!strings.HasPrefix(header, "<") || !strings.HasSuffix(header, "]: ")) {
			t.Errorf("%q is cut off", header)
		}
	})
}
