package hactl

import (
	"bytes"
	"slices"
	"strings"
	"sync"
)

// journal is a log that can be read while it is written.
type journal struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (j *journal) Write(line []byte) (int, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.text.Write(line)
}

func (j *journal) String() string {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.text.String()
}

// lines returns the lines that contain text.
func (j *journal) lines(text string) []string {
	return slices.DeleteFunc(strings.Split(strings.TrimSpace(j.String()), "\n"), func(line string) bool { return !strings.Contains(line, text) })
}
