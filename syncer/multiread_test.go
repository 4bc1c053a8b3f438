package syncer

import (
	"bytes"
	"encoding/binary"
	"errors"
	"strings"
	"testing"

	"github.com/go-zookeeper/zk"
)

// readingsOf returns the answer to a multi-read; of each node an error's code, or data.
func readingsOf(nodes ...any) body {
	var b []byte
	for _, node := range nodes {
		switch of := node.(type) {
		case int:
			b = append(binary.BigEndian.AppendUint32(b, 1<<32-1), 0)
			b = binary.BigEndian.AppendUint32(binary.BigEndian.AppendUint32(b, uint32(int32(of))), uint32(int32(of)))
		case string:
			b = append(binary.BigEndian.AppendUint32(b, opGetData), 0, 0, 0, 0, 0)
			b = append(appendString(b, of), make([]byte, statLength)...)
		case nil:
			b = append(binary.BigEndian.AppendUint32(b, opGetData), 0, 0, 0, 0, 0, 255, 255, 255, 255)
			b = append(b, make([]byte, statLength)...)
		}
	}
	return appendEnd(b)
}

func TestReadingsOfAMultiRead(t *testing.T) {
	t.Parallel()
	got, err := parseReadings(readingsOf("a", codeNoNode, nil, codeNoAuth, -4, strings.Repeat("x", 1<<20)), 6)
	if err != nil || len(got) != 6 {
		t.Fatalf("%d, %v", len(got), err)
	}
	for i, want := range []error{nil, zk.ErrNoNode, nil, zk.ErrNoAuth, zk.ErrUnknown, nil} {
		if !errors.Is(got[i].err, want) {
			t.Errorf("%d: %v, want %v", i, got[i].err, want)
		}
	}
	if string(got[0].data) != "a" || len(got[2].data) != 0 || len(got[5].data) != 1<<20 {
		t.Errorf("%.10q %q", got[0].data, got[2].data)
	}

	whole := readingsOf("a", codeNoNode)
	for what, wrong := range map[string]body{
		"empty": nil, "cut": whole[:len(whole)-1], "cut data": whole[:12], "more": append(bytes.Clone(whole), 0),
		"fewer": readingsOf("a"), "others": readingsOf("a", "b", "c"), "no error": readingsOf("a", 7),
		"kind": append(body{0, 0, 0, 9, 0, 0, 0, 0, 0}, whole...), "length": {0, 0, 0, 4, 0, 0, 0, 0, 0, 0x7f, 0xff, 0xff, 0xff},
	} {
		if got, err := parseReadings(wrong, 2); err == nil {
			t.Errorf("%s: %v", what, got)
		}
	}
}

// FuzzReadings parses whatever a server answers to a multi-read: as many nodes as were
// asked for, or an error; their data is part of the answer.
func FuzzReadings(f *testing.F) {
	f.Add([]byte(readingsOf("a", codeNoNode)), 2)
	f.Add([]byte(readingsOf(nil)), 1)
	f.Add([]byte(readingsOf("a")[:20]), 1)
	f.Fuzz(func(t *testing.T, said []byte, n int) {
		if n < 0 || n > maxMultiRead {
			return
		}
		all, err := parseReadings(said, n)
		if err != nil {
			return
		}
		length := 0
		for _, r := range all {
			length += len(r.data)
		}
		if len(all) != n || length > len(said) {
			t.Errorf("%d nodes of %d, %d bytes of %d", len(all), n, length, len(said))
		}
	})
}
