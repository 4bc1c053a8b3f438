package rig

import (
	"bytes"
	"sync"
)

const (
	outputMax  = 1 << 20
	outputTail = 4000
)

// output keeps the last one or two megabytes written to it. The zero value works.
type output struct {
	mu      sync.Mutex
	text    []byte
	changed chan struct{} // closed at the next write; nil if nothing waits
}

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.text = append(o.text, p...)
	if len(o.text) > 2*outputMax {
		o.text = append([]byte(nil), o.text[len(o.text)-outputMax:]...)
	}
	if o.changed != nil {
		close(o.changed)
		o.changed = nil
	}
	return len(p), nil
}

// find reports whether text has been written, and returns a channel that is closed at
// the next write.
func (o *output) find(text string) (bool, <-chan struct{}) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.changed == nil {
		o.changed = make(chan struct{})
	}
	return bytes.Contains(o.text, []byte(text)), o.changed
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return string(o.text)
}

func (o *output) tail() string {
	text := o.String()
	return text[max(0, len(text)-outputTail):]
}
