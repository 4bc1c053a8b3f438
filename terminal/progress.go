package terminal

import (
	"context"
	"fmt"
	"io"
	"sync"
	"time"
)

// Progress says on a terminal what a command waits for, once that takes longer than a
// second, until stop is called, which returns after the line was erased. Into a pipe or
// file it writes nothing. what is a few words, such as "waiting for the result".
func (s *Screen) Progress(what string) (stop func()) {
	if s.terminal == nil {
		return func() {}
	}
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() { s.progress(ctx, what) })
	return func() {
		cancel()
		running.Wait()
	}
}

func (s *Screen) progress(ctx context.Context, what string) {
	begun := time.Now()
	ticker := time.NewTicker(time.Second)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			if time.Since(begun) >= time.Second {
				_, _ = io.WriteString(s.to, "\r"+endOfLine)
			}
			return
		case <-ticker.C:
			columns, _ := s.size()
			text := fmt.Sprintf("%s … %s", clean(what), time.Since(begun).Round(time.Second))
			if columns > 0 {
				text = cut(text, columns-1)
			}
			_, _ = io.WriteString(s.to, "\r"+s.paint(Faint, text)+endOfLine)
		}
	}
}
