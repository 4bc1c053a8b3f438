package terminal

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// environment returns a lookup of variables.
func environment(variables ...string) func(string) (string, bool) {
	return func(name string) (string, bool) {
		for _, v := range variables {
			if value, is := strings.CutPrefix(v, name+"="); is {
				return value, true
			}
		}
		return "", false
	}
}

// openTerminal returns a screen on a terminal of so many columns and rows, and what is
// written to it.
func openTerminal(t *testing.T, columns, rows uint16, variables ...string) (*Screen, *bufio.Reader) {
	t.Helper()
	master, err := os.OpenFile("/dev/ptmx", os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { master.Close() })
	if err := unix.IoctlSetPointerInt(int(master.Fd()), unix.TIOCSPTLCK, 0); err != nil {
		t.Fatal(err)
	}
	n, err := unix.IoctlGetInt(int(master.Fd()), unix.TIOCGPTN)
	if err != nil {
		t.Fatal(err)
	}
	slave, err := os.OpenFile(fmt.Sprintf("/dev/pts/%d", n), os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { slave.Close() })
	if err := unix.IoctlSetWinsize(int(slave.Fd()), unix.TIOCSWINSZ, &unix.Winsize{Col: columns, Row: rows}); err != nil {
		t.Fatal(err)
	}
	return NewScreen(slave, environment(variables...)), bufio.NewReader(master)
}

func example() *Table {
	t := NewTable(Column{Title: "INSTANCE"}, Column{Title: "N", Right: true}, Column{Title: "WHY", Shrinks: true})
	t.Add(Text("10.0.0.1:80"), Text("1"), Cell{"registered", Good})
	t.Add(Text("10.0.0.12:8080"), Text("123"), Cell{"健康检查失败 health check failed", Bad})
	return t
}

func TestTableInAPipe(t *testing.T) {
	t.Parallel()
	var out strings.Builder
	p := NewScreen(&out, environment()).Page()
	p.Table(example())
	if err := p.Show(); err != nil {
		t.Fatal(err)
	}
	want := "INSTANCE          N  WHY\n10.0.0.1:80       1  registered\n10.0.0.12:8080  123  健康检查失败 health check failed\n"
	if out.String() != want {
		t.Errorf("got\n%s\nwant\n%s", out.String(), want)
	}
}

// No line is wider than the terminal, whatever its characters are.
func TestNarrowTerminals(t *testing.T) {
	t.Parallel()
	for columns := uint16(1); columns <= 60; columns++ {
		s, _ := openTerminal(t, columns, 24, "NO_COLOR=1")
		p := s.Page()
		p.Table(example())
		p.Line(Plain, "  ", "a line that is wrapped between words 健康 检查")
		for line := range strings.Lines(p.String()) {
			line = strings.TrimSuffix(line, "\n")
			if word := strings.TrimSpace(line); width(line) > int(columns) && strings.Contains(word, " ") {
				t.Errorf("%d columns: %q takes %d", columns, line, width(line))
			}
		}
	}
	s, _ := openTerminal(t, 40, 24, "NO_COLOR=1")
	p := s.Page()
	p.Table(example())
	want := "INSTANCE          N  WHY\n10.0.0.1:80       1  registered\n10.0.0.12:8080  123  健康检查失败 healt…\n"
	if p.String() != want {
		t.Errorf("got\n%s\nwant\n%s", p.String(), want)
	}
}

func TestColorsAreOnATerminalOnly(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		variables []string
		colors    bool
	}{
		{nil, true},
		{[]string{"TERM=xterm"}, true},
		{[]string{"NO_COLOR="}, true}, // no-color.org: empty is as unset
		{[]string{"NO_COLOR=1"}, false},
		{[]string{"TERM=dumb"}, false},
	} {
		s, _ := openTerminal(t, 80, 24, test.variables...)
		p := s.Page()
		p.Line(Bad, "", "down")
		if got := strings.Contains(p.String(), "\x1b["); got != test.colors {
			t.Errorf("%v: %q", test.variables, p.String())
		}
	}
}

// Text from outside neither moves the cursor nor changes the direction of a line.
func TestEverythingIsEscaped(t *testing.T) {
	t.Parallel()
	hostile := "a\x1b[2Jb\u202ec\u2066d\x00e\x7f\u0085f\r\ng"
	want := `a\u001b[2Jb\u202ec\u2066d\u0000e\u007f f g`
	p := NewScreen(new(strings.Builder), environment()).Page()
	table := NewTable(Column{Title: "X"})
	table.Add(Text(hostile))
	p.Table(table)
	p.Line(Plain, "", hostile)
	p.Diff("+  " + strings.ReplaceAll(hostile, "\r\n", " "))
	for i, line := range strings.Split(strings.TrimSuffix(p.String(), "\n"), "\n") {
		switch {
		case i == 0:
		case i == 3 && line != "+  "+want, i < 3 && line != want:
			t.Errorf("line %d is %q, want %q", i, line, want)
		}
	}
	if arabic := "مرحبا"; clean(arabic) != arabic || width("健康") != 4 || width("e\u0301") != 1 {
		t.Errorf("%q, %d, %d", clean(arabic), width("健康"), width("e\u0301"))
	}
}

func TestWatchIntoAPipeShowsChanges(t *testing.T) {
	t.Parallel()
	var out strings.Builder
	s := NewScreen(&out, environment())
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	failed := errors.New("no answer")
	texts := []string{"one", "one", "", "", "two", "", "two"}
	losses := 0
	err := s.Watch(ctx, time.Millisecond, func(context.Context) (*Page, error) {
		p, text := s.Page(), texts[0]
		p.Line(Plain, "", text)
		if texts = texts[1:]; len(texts) == 0 {
			texts = []string{"two"}
			time.AfterFunc(10*time.Millisecond, cancel)
		}
		if text == "" {
			return nil, failed
		}
		return p, nil
	}, func(err error) {
		if losses++; !errors.Is(err, failed) {
			t.Errorf("%v", err)
		}
	})
	if err != nil || out.String() != "one\n\ntwo\n" || losses != 2 {
		t.Errorf("%q, %v, %d losses", out.String(), err, losses)
	}
	if err := s.Watch(t.Context(), time.Millisecond, func(context.Context) (*Page, error) { return nil, failed }, nil); !errors.Is(err, failed) {
		t.Errorf("%v", err)
	}
}

// A terminal shows what went wrong until there is an answer again, and no more than fits.
func TestWatchOnATerminalRecovers(t *testing.T) {
	t.Parallel()
	s, written := openTerminal(t, 40, 5)
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	turn := 0
	go func() {
		ended <- s.Watch(ctx, time.Millisecond, func(context.Context) (*Page, error) {
			if turn++; turn == 1 {
				return nil, errors.New("connection refused")
			}
			p := s.Page()
			for i := range 9 {
				p.Line(Plain, "", fmt.Sprintf("line %d", i))
			}
			return p, nil
		}, nil)
	}()
	seen := ""
	for !strings.Contains(seen, "… 6 more lines") && !strings.Contains(seen, "line 4") {
		text, err := written.ReadString('l')
		if err != nil {
			t.Fatal(err)
		}
		seen += text
	}
	go func() { _, _ = written.WriteTo(new(strings.Builder)) }() // until the terminal is closed
	cancel()
	if err := <-ended; err != nil {
		t.Error(err)
	}
	if !strings.Contains(seen, "connection refused") || strings.Contains(seen, "line 4") {
		t.Errorf("%q", seen)
	}
}

func TestProgressIsOnATerminalOnly(t *testing.T) {
	t.Parallel()
	var out strings.Builder
	NewScreen(&out, environment()).Progress("asking")()
	if out.Len() > 0 {
		t.Errorf("%q", out.String())
	}
	s, written := openTerminal(t, 20, 5)
	stop := s.Progress("waiting for the result of the reload")
	text, err := written.ReadString('K')
	stop()
	if err != nil || !strings.Contains(text, "waiting for the re…") {
		t.Errorf("%q, %v", text, err)
	}
}
