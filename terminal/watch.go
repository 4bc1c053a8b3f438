package terminal

import (
	"context"
	"fmt"
	"io"
	"strings"
	"time"
)

const (
	// home moves the cursor to the first line, below erases what is behind it.
	home, below, endOfLine = "\x1b[H", "\x1b[J", "\x1b[K"
	hideCursor, showCursor = "\x1b[?25l", "\x1b[?25h"
)

// Watch shows a page again and again, every so often, until ctx is done, which is no
// error. A terminal shows the latest page only, as much of it as fits; a pipe or file gets
// each page that differs from the one before. An error of page is shown on the terminal
// until there is a page again. With a pipe or file the first error is returned if there
// was no page yet; otherwise lost is called with it, once until there is a page again.
func (s *Screen) Watch(ctx context.Context, every time.Duration, page func(context.Context) (*Page, error), lost func(error)) error {
	if s.terminal != nil {
		_, _ = io.WriteString(s.to, hideCursor+home+below)
		defer func() { _, _ = io.WriteString(s.to, showCursor) }()
	}
	timer := time.NewTicker(every)
	defer timer.Stop()
	last, failing := "", false
	for {
		p, err := page(ctx)
		switch {
		case ctx.Err() != nil:
			return nil
		case err == nil:
			failing = false
		case s.terminal != nil:
			p = s.Page()
			p.Line(Bad, "", fmt.Sprintf("%s  %v", time.Now().Format(time.TimeOnly), err))
		case last == "":
			return err
		case !failing:
			failing = true
			lost(err)
		}
		if !failing {
			if err := s.replace(p, &last); err != nil {
				return err
			}
		}
		select {
		case <-ctx.Done():
			return nil
		case <-timer.C:
		}
	}
}

// replace shows a page instead of the last one.
func (s *Screen) replace(p *Page, last *string) error {
	text := p.String()
	if s.terminal == nil {
		if text == *last {
			return nil
		}
		if *last != "" {
			text = "\n" + text
		}
		*last = p.String()
		_, err := io.WriteString(s.to, text)
		return err
	}
	lines := strings.SplitAfter(text, "\n")
	if _, rows := s.size(); rows > 1 && len(lines) > rows {
		lines = append(lines[:rows-2], fmt.Sprintf("… %d more lines", len(lines)-rows+1))
	}
	_, err := io.WriteString(s.to, home+strings.ReplaceAll(strings.Join(lines, ""), "\n", endOfLine+"\n")+below)
	return err
}
