package syncer

import (
	"bytes"
	"encoding/binary"
	"errors"
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

// answerOf returns an answer with more zero bytes after its head.
func answerOf(number, code uint32, more int) []byte {
	return answerWith(number, code, bytes.Repeat([]byte{'x'}, more))
}

func answerWith(number, code uint32, body []byte) []byte {
	frame := binary.BigEndian.AppendUint32(nil, uint32(headLength+len(body)))
	frame = binary.BigEndian.AppendUint32(frame, number)
	frame = binary.BigEndian.AppendUint64(frame, 7)
	frame = binary.BigEndian.AppendUint32(frame, code)
	return append(frame, body...)
}

// requestOf returns a request without a watch.
func requestOf(number, operation uint32) []byte {
	request := binary.BigEndian.AppendUint32(nil, 9)
	request = binary.BigEndian.AppendUint32(request, number)
	return append(binary.BigEndian.AppendUint32(request, operation), 0)
}

// watching returns a request that sets a watch.
func watching(number, operation uint32) []byte {
	request := requestOf(number, operation)
	request[len(request)-1] = 1
	return request
}

// listOf returns the body of an answer to getChildren2.
func listOf(names ...string) []byte {
	b := binary.BigEndian.AppendUint32(nil, uint32(len(names)))
	for _, name := range names {
		b = appendText(b, name)
	}
	return append(b, make([]byte, statLength)...)
}

// eventOf returns the body of an event.
func eventOf(kind uint32, path string) []byte {
	return appendText(binary.BigEndian.AppendUint32(binary.BigEndian.AppendUint32(nil, kind), 3), path)
}

const (
	opClose = 1<<32 - 11
	noNode  = 1<<32 - 101
)

// checked returns a reader of what a server sends after the given requests.
func checked(said io.Reader, requests ...[]byte) *answers {
	a := &answers{from: said, sent: new(sent), root: "/root", patience: time.Minute, each: func(uint32, uint32) {}}
	for _, r := range requests {
		a.sent.note(r)
	}
	return a
}

func TestAnswers(t *testing.T) {
	type answer struct{ Number, Code uint32 }
	const tooLong = 1<<32 - 100
	full := make([]byte, maxAnswer-headLength-4-4-statLength)
	for i := range full {
		full[i] = 'x'
	}
	requests := [][]byte{
		watching(1, opGetChildren2), requestOf(2, opGetChildren2), requestOf(numberPing, opPing), requestOf(3, opGetChildren2),
		requestOf(4, opExists), requestOf(5, opExists), requestOf(6, opClose),
	}
	first := slices.Concat(answerWith(1, 0, listOf("10.0.0.1:80", "\xff")), answerWith(numberEvent, 0, eventOf(childrenChanged, "/root/web")),
		answerWith(2, 0, listOf(string(full))), answerOf(numberPing, 0, 0))
	last := slices.Concat(answerWith(4, 0, make([]byte, statLength)), answerOf(5, noNode, 0), answerOf(6, 0, 0))
	stream := slices.Concat(first, answerOf(3, 0, maxAnswer-headLength+1), last)
	want := slices.Concat(first, answerOf(3, tooLong, 0), last)
	for name, from := range map[string]func(io.Reader) io.Reader{
		"at once":   func(r io.Reader) io.Reader { return r },
		"in halves": iotest.HalfReader,
		"by byte":   iotest.OneByteReader,
	} {
		var got []answer
		a := checked(from(bytes.NewReader(stream)), requests...)
		a.each = func(number, code uint32) { got = append(got, answer{number, code}) }
		all, err := io.ReadAll(a)
		if err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if !bytes.Equal(all, want) {
			t.Errorf("%s: %d bytes were passed on, want %d", name, len(all), len(want))
		}
		if diff := cmp.Diff([]answer{{1, 0}, {numberEvent, 0}, {2, 0}, {numberPing, 0}, {3, tooLong}, {4, 0}, {5, noNode}, {6, 0}}, got); diff != "" {
			t.Errorf("%s: -want +got\n%s", name, diff)
		}
	}
}

// wrongAnswers are invalid answers to a getChildren2 with a watch, number 1, and an
// exists, number 2, and the fault that each causes.
var wrongAnswers = map[string]struct {
	said []byte
	want string
}{
	"shorter than a head":         {[]byte{0, 0, 0, 4, 0xff, 0xff, 0xff, 0xff}, "length 4"},
	"no length":                   {[]byte{0, 0, 0, 0}, "length 0"},
	"a length below zero":         {[]byte("\xff\xff\xff\xf0 and more than enough"), "length -16"},
	"a web server":                {[]byte("HTTP/1.1 400 Bad Request\r\n\r\n"), "request 791752241, expected 1"},
	"a list of 4 billion":         {answerWith(1, 0, binary.BigEndian.AppendUint32(nil, 0xffffffff)), "4294967295 names in 0 bytes"},
	"a list of 2 billion":         {answerWith(1, 0, append([]byte{0x7f, 0xff, 0xff, 0xff}, make([]byte, 1000)...)), "2147483647 names in 1000 bytes"},
	"a list without a count":      {answerOf(1, 0, 0), "0 names in 0 bytes"},
	"a name that is too long":     {answerWith(1, 0, slices.Concat([]byte{0, 0, 0, 1, 0, 0, 1, 0, 'x'}, make([]byte, statLength))), "name 0 of a list is longer"},
	"a name of 4 GB":              {answerWith(1, 0, slices.Concat([]byte{0, 0, 0, 1, 0xff, 0xff, 0xff, 0xff}, make([]byte, statLength))), "name 0 of a list is longer"},
	"an empty name":               {answerWith(1, 0, listOf("10.0.0.1:80", "")), "name 1 of a list is empty"},
	"a list without a stat":       {answerWith(1, 0, append([]byte{0, 0, 0, 1}, "\x00\x00\x00\x02:1"...)), "0 bytes after the names"},
	"more behind a list":          {answerWith(1, 0, append(listOf("10.0.0.1:80"), 0)), "69 bytes after the names"},
	"a body beside an error":      {answerOf(1, noNode, 4), "4 bytes, not 0"},
	"an error above zero":         {answerOf(1, 1, 0), "error 1"},
	"an error that is none":       {answerOf(1, 1<<31, 0), "error -2147483648"},
	"the error that is ours":      {answerOf(1, 1<<32-100, 0), "error -100"},
	"another answer first":        {answerOf(2, noNode, 0), "request 2, expected 1"},
	"an answer to none":           {slices.Concat(answerOf(1, noNode, 0), answerOf(2, noNode, 0), answerOf(3, 0, 0)), "request 3, which was not sent"},
	"an answer twice":             {slices.Concat(answerOf(1, noNode, 0), answerOf(1, noNode, 0)), "request 1, expected 2"},
	"an unknown number":           {answerOf(77, 0, 0), "request 77, expected 1"},
	"a number below zero":         {answerOf(1<<32-4, 0, 0), "request -4, expected 1"},
	"a list for another question": {slices.Concat(answerOf(1, noNode, 0), answerWith(2, 0, listOf("10.0.0.1:80"))), "not 68, for operation 3"},
	"an answer without a stat":    {slices.Concat(answerOf(1, noNode, 0), answerOf(2, 0, 0)), "0 bytes, not 68"},
	"an answer longer than any":   {slices.Concat(answerOf(1, noNode, 0), answerOf(2, 0, 0)[:0], binary.BigEndian.AppendUint32(nil, 1<<30), answerOf(2, 0, 0)[4:]), "not 68"},
	"a change that goes back":     {slices.Concat(answerOf(1, noNode, 0), earlier(answerWith(2, 0, make([]byte, statLength)))), "zxid 0x6 after 0x7"},
	"a pong without a ping":       {answerOf(numberPing, 0, 0), "a ping that was not sent"},
	"a pong with a body":          {answerOf(numberPing, 0, 8), "8 bytes for a ping"},
	"an event of the session":     {answerWith(numberEvent, 0, eventOf(1<<32-1, "/root/web")), "kind -1"},
	"an event of no kind":         {answerWith(numberEvent, 0, eventOf(99, "/root/web")), "kind 99"},
	"an event without a body":     {answerOf(numberEvent, 0, 0), "kind 0"},
	"an event with an error":      {answerWith(numberEvent, noNode, eventOf(childrenChanged, "/root/web")), "error -101"},
	"an event outside":            {answerWith(numberEvent, 0, eventOf(childrenChanged, "/rootless")), "outside the chroot"},
	"an event of no text":         {answerWith(numberEvent, 0, eventOf(childrenChanged, "/root/\xff")), "outside the chroot"},
	"an event that is cut":        {answerWith(numberEvent, 0, eventOf(childrenChanged, "/root/web")[:12]), "longer than the event"},
	"more behind an event":        {answerWith(numberEvent, 0, append(eventOf(childrenChanged, "/root/web"), 0)), "1 bytes after an event"},
	"an event of 16 MB":           {answerOf(numberEvent, 0, maxAnswer)[:24], "16777216 bytes for an event"},
	"events of no watch":          {bytes.Repeat(answerWith(numberEvent, 0, eventOf(childrenChanged, "/root/web")), 100), "more events than watches"},
}

// earlier decrements the zxid of an answer.
func earlier(answer []byte) []byte {
	answer[offsetSeen+7]--
	return answer
}

func TestInvalidAnswersAreFaults(t *testing.T) {
	for name, test := range wrongAnswers {
		t.Run(name, func(t *testing.T) {
			a := checked(bytes.NewReader(test.said), watching(1, opGetChildren2), requestOf(2, opExists))
			_, err := io.Copy(io.Discard, a)
			if _, is := errors.AsType[*fault](err); !is || !strings.Contains(err.Error(), test.want) {
				t.Errorf("%v, want %s", err, test.want)
			}
		})
	}
}

// Requests are answered in order, so all later ones would wait forever.
func TestUnansweredRequestIsFault(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		pong := answerOf(numberPing, 0, 0)
		a := checked(bytes.NewReader(slices.Concat(pong, pong)), requestOf(1, opExists), requestOf(numberPing, opPing), requestOf(numberPing, opPing))
		after(time.Minute)
		if _, err := io.ReadFull(a, make([]byte, len(pong))); err != nil {
			t.Error(err)
		}
		after(time.Second)
		if _, err := a.Read(make([]byte, 4)); err == nil || !strings.Contains(err.Error(), "a request sent 1m1s ago is not") {
			t.Error(err)
		}
	})
}

// The length is only a claim: memory is allocated for bytes that have arrived.
func TestMemoryForAnswerGrowsAsItArrives(t *testing.T) {
	claim := answerOf(1, 0, maxAnswer-headLength)[:200_000]
	a := checked(bytes.NewReader(claim), requestOf(1, opGetChildren2))
	if _, err := a.Read(make([]byte, 4)); !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Error(err)
	}
	if cap(a.frame) > 3*len(claim) {
		t.Errorf("%d bytes for %d that arrived", cap(a.frame), len(claim))
	}

	whole := answerWith(1, 0, listOf(strings.Repeat("x", 2*maxBuffer)))
	a = checked(bytes.NewReader(whole), requestOf(1, opGetChildren2))
	if _, err := io.ReadFull(a, make([]byte, len(whole))); err != nil || a.frame != nil {
		t.Errorf("%v, %d bytes are kept", err, cap(a.frame))
	}
}

func TestRearmedWatchesMayFireOnce(t *testing.T) {
	request := binary.BigEndian.AppendUint64(requestOf(1, opSetWatches)[:offsetLastSeen], 5)
	for _, paths := range [][]string{{"/root/a"}, nil, {"/root/b", "/root/c"}} {
		request = binary.BigEndian.AppendUint32(request, uint32(len(paths)))
		for _, path := range paths {
			request = appendText(request, path)
		}
	}
	event := answerWith(numberEvent, 0, eventOf(created, "/root/a"))
	a := checked(bytes.NewReader(bytes.Repeat(event, 4)), request)
	n, err := io.Copy(io.Discard, a)
	if _, is := errors.AsType[*fault](err); !is || n != int64(3*len(event)) {
		t.Errorf("%d events, then %v", n/int64(len(event)), err)
	}
}

func TestOversizedListAffectsItsGroupOnly(t *testing.T) {
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
