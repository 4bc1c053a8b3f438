package syncer

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"
	"testing/iotest"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
)

// answerOf is an answer with so many bytes behind its head.
func answerOf(number, code uint32, more int) []byte {
	frame := binary.BigEndian.AppendUint32(nil, uint32(shortest+more))
	frame = binary.BigEndian.AppendUint32(frame, number)
	frame = binary.BigEndian.AppendUint64(frame, 7)
	frame = binary.BigEndian.AppendUint32(frame, code)
	return append(frame, bytes.Repeat([]byte{'x'}, more)...)
}

func TestAnswers(t *testing.T) {
	type answer struct{ Number, Code uint32 }
	const tooLong = 1<<32 - 100
	stream := slices.Concat(answerOf(1, 0, 0), answerOf(0xffffffff, 0, 10), answerOf(2, 0, maxAnswer-shortest),
		answerOf(3, 0, maxAnswer-shortest+1), []byte{0, 0, 0, 2, 'a', 'b'}, answerOf(4, 0xffffff90, 40))
	want := slices.Concat(answerOf(1, 0, 0), answerOf(0xffffffff, 0, 10), answerOf(2, 0, maxAnswer-shortest),
		answerOf(3, tooLong, 0), []byte{0, 0, 0, 2, 'a', 'b'}, answerOf(4, 0xffffff90, 40))
	for name, from := range map[string]func(io.Reader) io.Reader{
		"at once":   func(r io.Reader) io.Reader { return r },
		"in halves": iotest.HalfReader,
		"by byte":   iotest.OneByteReader,
	} {
		var got []answer
		a := &answers{from: from(bytes.NewReader(stream)), each: func(number, code uint32) { got = append(got, answer{number, code}) }}
		all, err := io.ReadAll(a)
		if err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if !bytes.Equal(all, want) {
			t.Errorf("%s: %d bytes are handed over, not the %d expected", name, len(all), len(want))
		}
		if diff := cmp.Diff([]answer{{1, 0}, {0xffffffff, 0}, {2, 0}, {3, tooLong}, {4, 0xffffff90}}, got); diff != "" {
			t.Errorf("%s: -want +got\n%s", name, diff)
		}
	}
}

func TestAnswerOfNoLength(t *testing.T) {
	a := &answers{from: strings.NewReader("\xff\xff\xff\xf0 and more than enough"), each: func(uint32, uint32) { t.Error("an answer") }}
	if n, err := a.Read(make([]byte, 4)); n > 0 || err == nil {
		t.Errorf("%d bytes, %v", n, err)
	}
}

// One list that is too long keeps nobody else from theirs.
func TestListThatIsTooLong(t *testing.T) {
	for _, late := range []bool{false, true} {
		t.Run(fmt.Sprint("outgrown ", late), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := newFakeServer()
				const groups, long = 10, "/root/g9"
				for i := range groups {
					f.children[fmt.Sprint("/root/g", i)] = []string{"10.0.0.1:80"}
				}
				if !late {
					f.long = long
				}
				c := startClient(t, f.connect, []string{"zk:2181"}, groups)
				after(time.Minute)
				if late {
					f.lock(func() { f.long = long })
					f.set(long, "10.0.0.1:80", "10.0.0.2:80")
				}
				for n := range 10 {
					want := []string{fmt.Sprintf("10.0.1.%d:80", n)}
					f.set("/root/g0", want...)
					after(100 * time.Millisecond)
					if got := c.list("g0"); !slices.Equal(got, want) {
						t.Errorf("a moment after the change the list is %v", got)
					}
				}
				f.lock(func() {
					if len(f.dials) != 1 {
						t.Errorf("there were %d connections", len(f.dials))
					}
				})
				if late {
					if got := c.list("g9"); !slices.Equal(got, []string{"10.0.0.1:80"}) {
						t.Errorf("of the long one is known %v", got)
					}
				}
				f.lock(func() { f.long = "" })
				after(2 * retryDenied)
				if got := c.list("g9"); len(got) == 0 || late && len(got) != 2 {
					t.Errorf("when it is short again the list is %v", got)
				}
				c.stop()
			})
		})
	}
}
