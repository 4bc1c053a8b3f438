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

// transcript reads what haproxy-zk writes, of one process after another. HAProxy's
// lines of requests are not kept. The zero value works.
type transcript struct {
	mu      sync.Mutex
	lines   []line
	stalled chan struct{} // closed when reading goes on; nil while it does
	reading sync.WaitGroup
}

// line is one line of the log, or of what is none.
type line struct {
	read time.Time // when it was
	text string
	// These are empty where the line is no JSON.
	Time                          time.Time
	Level, Msg, Component, Status string
}

// pipe returns the descriptor that a process is to write to; the caller closes it
// once the process has it.
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

// stall stops the reading until the function that it returns is called.
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

// find returns the lines that fit.
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
