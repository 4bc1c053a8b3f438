package events

import (
	"bytes"
	"fmt"
	"hash/crc32"
	"slices"
	"strconv"

	"github.com/haproxy-zk/haproxy-zk/registry"
)

const (
	// maxFile bounds the file, rewritten is what a rewrite leaves of it at most: the rest is
	// for what is appended until the next rewrite.
	maxFile   = 8 << 20
	rewritten = maxFile / 2
	// maxLine is longer than any line that is written: a text of maxText bytes takes up to
	// six times as many in JSON.
	maxLine = 32 << 10
	// sumDigits is the length of a checksum.
	sumDigits = 8
)

// castagnoli is the polynomial of the checksums.
func castagnoli() *crc32.Table { return crc32.MakeTable(crc32.Castagnoli) }

// appendLine appends an event as a line of the file: the CRC-32C of its JSON in
// hexadecimal digits, a space, and the JSON.
func appendLine(b []byte, e *Event) []byte {
	text := e.AppendJSON(nil)
	return append(append(fmt.Appendf(b, "%0*x ", sumDigits, crc32.Checksum(text, castagnoli())), text...), '\n')
}

// parse returns the events of a file, and how many of its lines are damaged. A line whose
// number is not above those before it is damaged. clean is true if the last line is the
// end of a process.
func parse(text []byte) (events []Event, damaged int, clean bool) {
	var last uint64
	for len(text) > 0 {
		line, rest, ended := bytes.Cut(text, []byte("\n"))
		text = rest
		e, err := parseLine(line)
		if clean = err == nil && ended && e.Seq > last; !clean {
			damaged++
			continue
		}
		clean = e.Kind == registry.EventStop
		events, last = append(events, e), e.Seq
	}
	return events, damaged, clean
}

func parseLine(line []byte) (Event, error) {
	sum, text, found := bytes.Cut(line, []byte(" "))
	if !found || len(sum) != sumDigits || len(line) > maxLine {
		return Event{}, fmt.Errorf("a line of %d bytes is no event", len(line))
	}
	want, err := strconv.ParseUint(string(sum), 16, 32)
	if err != nil {
		return Event{}, err
	}
	if got := crc32.Checksum(text, castagnoli()); uint64(got) != want {
		return Event{}, fmt.Errorf("checksum %08x, not %08x", got, want)
	}
	return decode(text)
}

// fitting returns the lines of the latest events, at most limit bytes.
func fitting(events []Event, limit int) []byte {
	var lines [][]byte
	size := 0
	for i := len(events) - 1; i >= 0; i-- {
		line := appendLine(nil, &events[i])
		if size += len(line); size > limit {
			break
		}
		lines = append(lines, line)
	}
	slices.Reverse(lines)
	return bytes.Join(lines, nil)
}
