package chaos

import (
	"bufio"
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"sync"
	"time"
)

// transcript reads the output of haproxy-zk, of one process after another. HAProxy's
// request log is not kept. The zero value works.
type transcript struct {
	mu      sync.Mutex
	lines   []line
	stalled chan struct{} // closed when reading resumes; nil while it runs
	reading sync.WaitGroup
}

// line is one line of the log, or of other output.
type line struct {
	read time.Time // when it was read
	text string
	// These are empty if the line is not JSON.
	Time                          time.Time
	Level, Msg, Component, Status string
}

// pipe returns the descriptor for a process to write to; the caller closes it once the
// process has it.
func (t *transcript) pipe() (*os.File, error) {
	read, write, err := os.Pipe()
	if err != nil {
		return nil, fmt.Errorf("read the log: %w", err)
	}
	t.reading.Go(func() {
		defer read.Close()
		for lines := bufio.NewReader(read); ; {
			t.wait()
			text, err := lines.ReadString('\n')
			t.add(text)
			if err != nil {
				return
			}
		}
	})
	return write, nil
}

func (t *transcript) wait() {
	t.mu.Lock()
	stalled := t.stalled
	t.mu.Unlock()
	if stalled != nil {
		<-stalled
	}
}

func (t *transcript) add(text string) {
	text = strings.TrimSpace(text)
	if text == "" {
		return
	}
	l := line{read: time.Now(), text: text}
	if json.Unmarshal([]byte(text), &l) == nil && l.Component == "haproxy" && l.Level == "INFO" {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.lines = append(t.lines, l)
}

// stall stops reading until the returned function is called.
func (t *transcript) stall() (resume func()) {
	stalled := make(chan struct{})
	t.mu.Lock()
	defer t.mu.Unlock()
	t.stalled = stalled
	return func() {
		t.mu.Lock()
		defer t.mu.Unlock()
		t.stalled = nil
		close(stalled)
	}
}

// find returns the matching lines.
func (t *transcript) find(fits func(line) bool) []line {
	t.mu.Lock()
	defer t.mu.Unlock()
	var found []line
	for _, l := range t.lines {
		if fits(l) {
			found = append(found, l)
		}
	}
	return found
}

// close waits until the writers have ended and everything was read.
func (t *transcript) close() { t.reading.Wait() }
