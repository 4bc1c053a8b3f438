package events

import (
	"bytes"
	"testing"
)

// FuzzParse checks that a file with any content yields only events that could have been
// recorded, with increasing numbers, and loses none of the lines beside what is damaged.
func FuzzParse(f *testing.F) {
	r := NewRing()
	r.Append(start())
	r.Append(serving(1))
	r.Append(stop())
	var good []byte
	for _, e := range r.After(0, 3).Events {
		good = appendLine(good, &e)
	}
	f.Add(good)
	f.Add(good[:len(good)-7])
	f.Add([]byte("00000000 {}\n"))
	f.Add([]byte("\x00\n\xff\n \n"))
	f.Fuzz(func(t *testing.T, text []byte) {
		events, damaged, _ := parse(text)
		var last uint64
		var lines []byte
		for i := range events {
			e := &events[i]
			if e.Seq <= last || e.Seq > maxSeq || !e.Kind.Valid() || clean(e.Event) != e.Event {
				t.Errorf("%d after %d: %+v", e.Seq, last, e)
			}
			last = e.Seq
			lines = appendLine(lines, e)
		}
		again, none, _ := parse(lines)
		same(t, "read again", events, again)
		if none != 0 || damaged == 0 && len(events) != bytes.Count(text, []byte("\n")) {
			t.Errorf("%d events, %d damaged lines, then %d", len(events), damaged, none)
		}
		fresh := NewRing()
		fresh.restore(events, false)
		fresh.Append(stop())
		if got := fresh.After(last, 1).Events; len(got) != 1 || got[0].Seq <= last {
			t.Errorf("the next event is %+v, the last one was %d", got, last)
		}
		// Whatever precedes it, the end of a file is read.
		text = append(bytes.Clone(text), '\n')
		if events, _, _ = parse(text); len(events) > 0 {
			last = events[len(events)-1].Seq
		}
		tail := Event{Seq: last + 1, Time: r.After(0, 1).Events[0].Time, Event: serving(2)}
		if tail.Seq > maxSeq {
			return
		}
		followed, _, _ := parse(appendLine(text, &tail))
		if len(followed) == 0 || followed[len(followed)-1] != tail {
			t.Errorf("the last line is not read: %+v", followed)
		}
	})
}
