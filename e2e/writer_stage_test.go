package e2e

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// writerWithin bounds the start of a program that registers, and each of its commands.
const writerWithin = time.Minute

// writer is a program that registers instances as long as its input is open.
type writer struct {
	t     *testing.T
	input io.WriteCloser
	lines chan string // of its output; closed at its end
	ended chan error
}

// startWriter starts a program, which is ended with the test.
func startWriter(t *testing.T, name string, args ...string) *writer {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.WaitDelay = time.Second
	input, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	output, feed := io.Pipe()
	cmd.Stdout, cmd.Stderr = feed, feed
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	w := &writer{t: t, input: input, lines: make(chan string, 1000), ended: make(chan error, 1)}
	go func() {
		defer close(w.lines)
		for text := bufio.NewScanner(output); text.Scan(); {
			select {
			case w.lines <- text.Text():
			default: // nobody waits for so many
			}
		}
		_, _ = io.Copy(io.Discard, output)
	}()
	go func() {
		w.ended <- cmd.Wait()
		feed.Close()
	}()
	t.Cleanup(func() {
		w.close()
		cancel()
	})
	return w
}

// close ends its input, and waits until the program has ended: then its session is closed.
func (w *writer) close() {
	w.input.Close()
	select {
	case err := <-w.ended:
		if err != nil {
			w.t.Errorf("the writer ended with %v", err)
		}
		w.ended <- nil
	case <-time.After(writerWithin):
		w.t.Error("the writer does not end")
	}
}

// says waits for a line of its output that contains a text.
func (w *writer) says(text string) {
	w.t.Helper()
	var said []string
	deadline := time.After(writerWithin)
	for {
		select {
		case line, open := <-w.lines:
			if strings.Contains(line, text) {
				return
			}
			if said = append(said, line); !open {
				w.t.Fatalf("the writer ended without %q:\n%s", text, strings.Join(said, "\n"))
			}
		case <-deadline:
			w.t.Fatalf("the writer does not say %q:\n%s", text, strings.Join(said, "\n"))
		}
	}
}

// does passes on a command, and waits until it is done.
func (w *writer) does(format string, args ...any) {
	w.t.Helper()
	if _, err := fmt.Fprintf(w.input, format+"\n", args...); err != nil {
		w.t.Fatal(err)
	}
	w.says("done")
}

// debianPython has Debian's modules; another may be before it on PATH.
const debianPython = "/usr/bin/python3"

// kazoo registers a node with python3-kazoo.
func kazoo(t *testing.T, connect, parent, name, data string) *writer {
	t.Helper()
	w := startWriter(t, debianPython, "testdata/writers/register.py", connect, parent, name, data)
	w.says("done")
	return w
}

// curatorClasspath returns Debian's archives of Curator's service discovery, and what they
// need, behind a directory of classes.
func curatorClasspath(classes string) string {
	path := classes
	for name := range strings.FieldsSeq("curator-x-discovery curator-framework curator-client guava failureaccess jackson-core jackson-databind jackson-annotations zookeeper zookeeper-jute slf4j-api slf4j-nop") {
		path += ":/usr/share/java/" + name + ".jar"
	}
	return path
}

// curator starts testdata/writers/Register.java for instances below a base path.
func curator(t *testing.T, connect, base string) *writer {
	t.Helper()
	classes := t.TempDir()
	source := "testdata/writers"
	ctx, cancel := context.WithTimeout(t.Context(), writerWithin)
	defer cancel()
	if output, err := exec.CommandContext(ctx, "javac", "-d", classes, "-cp", curatorClasspath(source), filepath.Join(source, "Register.java")).CombinedOutput(); err != nil {
		t.Fatalf("javac: %v\n%s", err, output)
	}
	return startWriter(t, "java", "-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC", "-Xmx128m", "-cp", curatorClasspath(classes), "Register", connect, base)
}
