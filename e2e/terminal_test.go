package e2e

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"unicode/utf8"

	"github.com/haproxy-zk/haproxy-zk/e2e/rig"
)

// invocation returns a command that asks the daemon, with variables besides those of the test.
func (s *stage) invocation(ctx context.Context, env []string, args ...string) *exec.Cmd {
	c := exec.CommandContext(ctx, s.binary, append(args, "--run-dir", s.home+"/run", "--http-addr", s.http)...)
	c.Env = append(os.Environ(), env...)
	return c
}

// onTerminal runs a command on a terminal and returns what it shows.
func (s *stage) onTerminal(columns uint16, env []string, args ...string) string {
	s.t.Helper()
	terminal, err := rig.OpenTerminal(columns, 24)
	if err != nil {
		s.t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(s.t.Context(), within)
	defer cancel()
	c := s.invocation(ctx, env, args...)
	c.Stdout, c.Stderr = terminal.Screen, terminal.Screen
	failed := c.Run()
	text, err := terminal.Close()
	if err := errors.Join(failed, err); err != nil {
		s.t.Errorf("%q: %v\n%s", args, err, text)
	}
	return text
}

var color = regexp.MustCompile(`\x1b\[[0-9;]*m`)

// On a terminal of 40 columns every line fits, and says the same without colors.
func TestCommandsOnANarrowTerminal(t *testing.T) {
	onSomeHAProxy(t, func(t *testing.T, h rig.HAProxy) {
		s := begin(t, h, withChecks)
		a, b := s.app(front), s.app(front)
		s.serves(front, a, b)
		a.SetHealthy(false)
		s.expects(question{command: []string{"explain", "ngboss/" + front + "/" + a.Addr()}, first: ` does not serve: its health check fails`})
		for _, args := range [][]string{
			{"get"},
			{"get", "-o", "wide"},
			{"get", "ngboss/" + front},
			{"status"},
			{"status", "-o", "wide"},
			{"top", "--once"},
			{"events"},
			{"explain", "ngboss/" + front},
			{"explain", "ngboss/" + front + "/" + a.Addr()},
		} {
			colored := s.onTerminal(40, []string{"NO_COLOR=", "TERM=xterm"}, args...)
			if !color.MatchString(colored) {
				t.Errorf("%q: no colors in\n%s", args, colored)
			}
			for line := range strings.Lines(s.onTerminal(40, []string{"NO_COLOR=1"}, args...)) {
				line = strings.TrimSuffix(line, "\n")
				if word := strings.TrimSpace(line); utf8.RuneCountInString(line) > 40 && strings.Contains(word, " ") || strings.Contains(line, "\x1b") && !strings.Contains(line, "\r") {
					t.Errorf("%q: %q has %d columns", args, line, utf8.RuneCountInString(line))
				}
			}
		}
	})
}

// A pipe that closes ends a command, which says nothing about it.
func TestCommandsIntoAClosedPipe(t *testing.T) {
	onSomeHAProxy(t, func(t *testing.T, h rig.HAProxy) {
		s := begin(t, h, nil)
		s.serves(front, s.app(front))
		for _, args := range [][]string{{"get"}, {"get", "-o", "name"}, {"get", "--watch"}, {"status"}, {"top"}, {"events"}, {"events", "--follow", "--since", "1h"}, {"explain", "ngboss/" + front}} {
			read, write, err := os.Pipe()
			if err != nil {
				t.Fatal(err)
			}
			var said bytes.Buffer
			ctx, cancel := context.WithTimeout(t.Context(), within)
			c := s.invocation(ctx, nil, args...)
			c.Stdout, c.Stderr = write, &said
			read.Close()
			err = c.Run()
			write.Close()
			cancel()
			var ended *exec.ExitError
			if !errors.As(err, &ended) || ended.Sys().(syscall.WaitStatus).Signal() != syscall.SIGPIPE || said.Len() > 0 {
				t.Errorf("%q ends with %v: %s", args, err, said.String())
			}
		}
	})
}

// What is watched continues over a restart of the daemon: on a terminal, which shows
// meanwhile that nobody answers, and into a pipe.
func TestWatchOverARestart(t *testing.T) {
	onSomeHAProxy(t, func(t *testing.T, h rig.HAProxy) {
		s := begin(t, h, nil)
		a := s.app(front)
		s.serves(front, a)
		terminal, err := rig.OpenTerminal(80, 24)
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), 4*within)
		defer cancel()
		seen := s.invocation(ctx, nil, "get", "ngboss/"+front, "--watch")
		seen.Stdout, seen.Stderr = terminal.Screen, terminal.Screen
		piped := s.invocation(ctx, nil, "get", "-o", "name", "--watch")
		out, err := piped.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		lost, err := piped.StderrPipe()
		if err != nil {
			t.Fatal(err)
		}
		for _, c := range []*exec.Cmd{seen, piped} {
			if err := c.Start(); err != nil {
				t.Fatal(err)
			}
		}
		lines, losses := newLines(out), newLines(lost)
		shows := func(what string, after int) (end int) {
			t.Helper()
			s.eventually("the terminal shows "+what, func() error {
				text := terminal.Text()
				if at := strings.Index(text[after:], what); at >= 0 {
					end = after + at
					return nil
				}
				return fmt.Errorf("it shows %q", text[after:])
			})
			return end
		}
		at := shows(a.Addr(), 0)
		s.eventually("the pipe has it", lines.has(a.Addr()))
		if err := s.daemon.Signal(sigterm); err != nil {
			t.Fatal(err)
		}
		s.exits(0)
		at = shows("connection refused", at)
		s.eventually("the other one says so beside it", losses.has("no answer, asking again"))
		b := s.app(front)
		s.start()
		s.ready()
		shows(b.Addr(), at)
		s.eventually("the pipe has the other one", lines.has(b.Addr()))
		for _, c := range []*exec.Cmd{seen, piped} {
			if err := c.Process.Signal(os.Interrupt); err != nil {
				t.Fatal(err)
			}
		}
		<-lines.ended
		<-losses.ended
		if err := errors.Join(seen.Wait(), piped.Wait()); err != nil {
			t.Error(err)
		}
		if text, err := terminal.Close(); err != nil || !strings.HasSuffix(text, "\x1b[?25h") {
			t.Errorf("%v; the cursor is hidden: %q", err, text[max(0, len(text)-20):])
		}
	})
}

// lines keeps what is read from a pipe.
type lines struct {
	ended chan struct{}
	text  chan string // has all text so far
}

func newLines(from io.Reader) *lines {
	l := &lines{make(chan struct{}), make(chan string, 1)}
	l.text <- ""
	go func() {
		defer close(l.ended)
		buffer := make([]byte, 4096)
		for {
			n, err := from.Read(buffer)
			l.text <- <-l.text + string(buffer[:n])
			if err != nil {
				return
			}
		}
	}()
	return l
}

// has returns a check that words were read.
func (l *lines) has(words string) func() error {
	return func() error {
		text := <-l.text
		l.text <- text
		if !strings.Contains(text, words) {
			return fmt.Errorf("no %q in %q", words, text)
		}
		return nil
	}
}

// A command says what it waits for, and erases that before it shows the answer.
func TestProgressIsErased(t *testing.T) {
	onSomeHAProxy(t, func(t *testing.T, h rig.HAProxy) {
		s := begin(t, h, nil)
		s.serves(front, s.app(front))
		text := s.onTerminal(80, nil, "top", "--once") // it waits a second for rates
		before, after, waited := strings.Cut(text, "measuring rates")
		if _, answer, erased := strings.Cut(after, "\r\x1b[K"); !waited || strings.Contains(before, "INSTANCE") || !erased || !strings.Contains(answer, "INSTANCE") {
			t.Errorf("it shows %q", text)
		}
	})
}
