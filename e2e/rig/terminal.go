package rig

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"sync"

	"golang.org/x/sys/unix"
)

// Terminal is a terminal that nobody looks at: what is written to Screen is kept.
type Terminal struct {
	// Screen is for the standard output of commands.
	Screen *os.File
	master *os.File
	ended  chan struct{}

	mu   sync.Mutex
	text strings.Builder
}

// OpenTerminal opens a terminal of so many columns and rows. Close it.
func OpenTerminal(columns, rows uint16) (*Terminal, error) {
	master, err := os.OpenFile("/dev/ptmx", os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		return nil, err
	}
	fd := int(master.Fd())
	n, err := unix.IoctlGetInt(fd, unix.TIOCGPTN)
	if err == nil {
		err = unix.IoctlSetPointerInt(fd, unix.TIOCSPTLCK, 0)
	}
	if err == nil {
		err = unix.IoctlSetWinsize(fd, unix.TIOCSWINSZ, &unix.Winsize{Col: columns, Row: rows})
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("open a terminal: %w", err), master.Close())
	}
	screen, err := os.OpenFile(fmt.Sprintf("/dev/pts/%d", n), os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		return nil, errors.Join(err, master.Close())
	}
	t := &Terminal{Screen: screen, master: master, ended: make(chan struct{})}
	go t.read()
	return t, nil
}

// read keeps what is written until the last writer has closed the terminal.
func (t *Terminal) read() {
	defer close(t.ended)
	buffer := make([]byte, 4096)
	for {
		n, err := t.master.Read(buffer)
		t.mu.Lock()
		t.text.Write(buffer[:n])
		t.mu.Unlock()
		if err != nil {
			return // EIO: there is no writer
		}
	}
}

// Text returns what was written so far, with the lines that it had.
func (t *Terminal) Text() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return strings.ReplaceAll(t.text.String(), "\r\n", "\n")
}

// Close closes the terminal and returns what was written to it in all. Commands that write
// to it must have ended.
func (t *Terminal) Close() (string, error) {
	err := t.Screen.Close()
	<-t.ended
	return t.Text(), errors.Join(err, t.master.Close())
}
