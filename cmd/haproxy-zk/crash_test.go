package main

import (
	"context"
	"os"
	"os/exec"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// crashes are the ends that Go has for a program, each of which exits with 2 by itself.
var crashes = map[string]func(){
	"a panic":                  func() { panic("by a test") },
	"a panic of a goroutine":   func() { go panic("by a test"); select {} },
	"an index that is too big": func() { _ = os.Args[len(os.Args):][0] },
	"a stack that is too big":  func() { os.Exit(overflow(0)) },
	"two writers of a map":     writeTwice,
	"no memory":                exhaust,
	"SIGQUIT":                  func() { _ = unix.Kill(os.Getpid(), unix.SIGQUIT); select {} },
	"SIGABRT":                  func() { _ = unix.Kill(os.Getpid(), unix.SIGABRT); select {} },
}

// crash is what the test binary does in place of main.
func crash(kind string) {
	abortOnCrash()
	crashes[kind]()
}

func overflow(n int) int {
	if n < 0 {
		return n
	}
	return overflow(n+1) + overflow(n+2)
}

func writeTwice() {
	m := make(map[int]int)
	for range 8 {
		go func() {
			for i := 0; ; i++ {
				m[i%64] = i
			}
		}()
	}
	select {}
}

// exhaust asks for more memory than there are addresses.
func exhaust() {
	all := make([][]byte, 1<<10)
	for i := range all {
		all[i] = make([]byte, 1<<42)
	}
	os.Exit(len(all))
}

// No crash may pass for a wrong configuration: systemd and Docker would not start it
// again.
func TestCrashNeverEndsWithTwo(t *testing.T) {
	for kind := range crashes {
		t.Run(kind, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			defer cancel()
			cmd := exec.CommandContext(ctx, "/proc/self/exe")
			// The race detector has an exit code and a memory of its own.
			cmd.Env = append(os.Environ(), mainVariable+"="+kind, "GORACE=halt_on_error=0 log_path=/dev/null")
			if err := cmd.Run(); err == nil {
				t.Fatal("it ends well")
			}
			status, is := cmd.ProcessState.Sys().(syscall.WaitStatus)
			if !is || !status.Signaled() || status.Signal() != unix.SIGABRT {
				t.Errorf("it ends with %s", cmd.ProcessState)
			}
		})
	}
}
