package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"sync"
	"time"
)

// progressAfter is the maximum time without output.
const progressAfter = 30 * time.Second

// said is a line of one of the `go test` that run at the same time.
type said struct {
	run  int
	line string
}

// goTests runs `go test` once for each list of arguments, all at the same time, and before
// compiles what the first of several begins with, or each would. It returns
// the highest exit code, and the processor time of all that ran, whose end was waited for.
func goTests(r *report, runs [][]string) (code int, cpu time.Duration, err error) {
	if len(runs) > 1 {
		compile := exec.Command("go", append([]string{"test", "-c", "-o", os.DevNull}, runs[0]...)...)
		compile.Stdout, compile.Stderr = r.out, os.Stderr
		if err := compile.Run(); err != nil {
			return 0, 0, fmt.Errorf("go test -c: %w", err)
		}
	}
	lines := make(chan said)
	var readers sync.WaitGroup
	var started []*exec.Cmd
	for i, args := range runs {
		cmd, stdout, failure := startGoTest(args)
		if failure != nil {
			err = failure
			break
		}
		started = append(started, cmd)
		readers.Go(func() { read(stdout, func(line string) { lines <- said{i, line} }) })
	}
	go func() {
		readers.Wait()
		close(lines)
	}()
	follow(r, lines)
	for _, cmd := range started {
		failure := cmd.Wait()
		cpu += cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()
		if exit := (*exec.ExitError)(nil); errors.As(failure, &exit) && exit.Exited() {
			code = max(code, exit.ExitCode())
		} else if failure != nil {
			err = errors.Join(err, fmt.Errorf("go test: %w", failure))
		}
	}
	return code, cpu, err
}

func startGoTest(args []string) (*exec.Cmd, io.Reader, error) {
	cmd := exec.Command("go", append([]string{"test", "-json"}, args...)...)
	cmd.Stderr = os.Stderr
	// Otherwise every process with the race detector sleeps for a second at its end.
	cmd.Env = append([]string{"GORACE=atexit_sleep_ms=0"}, os.Environ()...)
	stdout, err := cmd.StdoutPipe()
	if err == nil {
		err = cmd.Start()
	}
	return cmd, stdout, err
}

func read(from io.Reader, take func(line string)) {
	reader := bufio.NewReader(from)
	for {
		line, err := reader.ReadString('\n')
		if line != "" {
			take(line)
		}
		if err != nil {
			return
		}
	}
}

// follow passes each line to the report, and requests progress when there is none.
func follow(r *report, lines <-chan said) {
	tick := time.NewTicker(progressAfter)
	defer tick.Stop()
	for {
		select {
		case s, more := <-lines:
			if !more {
				return
			}
			r.take(s.run, s.line)
		case <-tick.C:
			r.progress()
		}
	}
}
