package supervisor

import (
	"bytes"
	"errors"
	"os"
	"strings"
	"sync/atomic"
	"testing"

	"golang.org/x/sys/unix"
)

// errTaken is the fake error of an address that another process has.
var errTaken = errors.New("address in use")

// vacancy is an Options.Vacant: configurations with "taken" have an address that
// another process has, unless the running one has it too.
func vacancy(config, running []byte) error {
	if bytes.Contains(config, []byte("taken")) && !bytes.Contains(running, []byte("taken")) {
		return errTaken
	}
	return nil
}

func (s *stage) running() string {
	s.t.Helper()
	text, err := os.ReadFile(s.ConfFile)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		s.t.Fatal(err)
	}
	return string(text)
}

// An address that another process has is found before anything is written or started.
func TestReloadAsksForAddedAddresses(t *testing.T) {
	var s *stage
	s = newStage(t, Options{Vacant: func(config, running []byte) error {
		if s.running() != string(running) {
			t.Errorf("the file is %q, the running configuration %q", s.running(), running)
		}
		return vacancy(config, running)
	}})
	s.begin()
	if _, err := s.try(t.Context(), "workers 2 # taken"); !errors.Is(err, errTaken) || s.running() != "" {
		t.Errorf("the first start: %v, the file %q", err, s.running())
	}
	pids := s.reload("workers 2")
	for range 2 {
		_, err := s.try(t.Context(), "workers 2 # taken")
		if !errors.Is(err, errTaken) || strings.Contains(err.Error(), "haproxy") {
			t.Errorf("a reload: %v", err)
		}
	}
	s.assertNotSignaled(pids...)
	waitForChildren(t, pids...)
	if s.running() != "workers 2" {
		t.Errorf("the file is %q", s.running())
	}
	s.reload("workers 2 # other")
}

// What the running generation listens on is not asked for, and neither is anything when
// nothing serves: a replacement must not wait.
func TestReloadKeepsItsAddresses(t *testing.T) {
	var free atomic.Bool
	free.Store(true)
	s := startStage(t, Options{Vacant: func(config, running []byte) error {
		if free.Load() {
			return nil
		}
		return vacancy(config, running)
	}})
	s.reload("workers 1 # taken")
	free.Store(false)
	pids := s.reload("workers 2 # taken")
	for _, pid := range pids {
		kill(t, pid, unix.SIGKILL)
	}
	eventually(t, "both are dead", func() bool { return len(s.Died()) >= len(pids) })
	s.reload("workers 2 # taken taken")
}

// A port that one reload removed and the next adds again is still open for a moment, in
// replaced workers and in this process.
func TestReloadWaitsForAddressesToBeLetGo(t *testing.T) {
	var asked atomic.Int32
	d := startHold(t, Options{Vacant: func(config, running []byte) error {
		if err := vacancy(config, running); err != nil && asked.Add(1) < 4 {
			return err
		}
		return nil
	}})
	busy := d.reload("workers 1 busy")
	d.holds(d.reload("workers 1"))
	d.reload("workers 1 # taken")
	if n := asked.Load(); n != 4 {
		t.Errorf("it was asked %d times", n)
	}

	// Sockets that cannot be taken may be those of an earlier generation.
	asked.Store(-1 << 20)
	d.set(errors.New("busy"), false)
	d.reload("workers 1 # more")
	d.reload("workers 1 # taken")
	kill(t, busy[0], unix.SIGUSR2)
}
