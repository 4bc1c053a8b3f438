package syncer

import (
	"errors"
	"fmt"
	"io"
	"net"
	"syscall"
	"time"
)

// rearming bounds the wait for the library to set watches again: there may be
// none. Then it still lets it look for some before the first answer brings one.
const rearming = 20 * time.Millisecond

// conn is one connection to a server.
//
// Until the first answer was read, which is the handshake's, the deadline that
// the dialer has set holds whatever the library sets: it would wait ten times
// its receive timeout for the length of the answer and forever for the rest.
// The answer is read whole and looked at first, because the library allocates
// whatever length a stranger sends.
//
// After that nothing is read until the watches that the library sets again are
// on their way to the server: it looks up the last change that an answer told of
// without a lock, while it reads answers already. What they carry is corrected
// (see [mark]).
type conn struct {
	net.Conn
	address string
	dialer  *dialer

	// Only the library's loop writes these, before it starts the goroutines
	// that read and write.
	answered bool
	answer   []byte // the part that the library has not read yet
	handed   bool   // all of it was read: deadlines are the library's

	session int64         // 0: the one asked for has expired
	timeout time.Duration // as granted

	rearmed chan struct{}   // closed by Write; nil then
	waiting <-chan struct{} // the same for Read; nil after the wait

	mark    mark
	answers *answers // Read's; nil before it is handed
}

func (c *conn) Read(p []byte) (int, error) {
	if c.handed {
		c.awaitWatches()
		if c.answers == nil {
			c.answers = &answers{from: heard{c.Conn, c.dialer.heard}, each: c.mark.answered}
		}
		return c.answers.Read(p)
	}
	if !c.answered {
		c.answered = true
		if err := c.receive(); err != nil {
			return 0, err
		}
	}
	n := copy(p, c.answer)
	c.answer = c.answer[n:]
	if len(c.answer) > 0 {
		return n, nil
	}
	c.handed = true
	return n, c.Conn.SetDeadline(time.Time{})
}

func (c *conn) Write(p []byte) (int, error) {
	if !c.handed {
		c.mark.begin(p, c.dialer.mark)
		return c.Conn.Write(p)
	}
	if c.rearmed != nil && isSetWatches(p) {
		close(c.rearmed)
		c.rearmed = nil
	}
	return c.Conn.Write(c.mark.correct(p))
}

func (c *conn) awaitWatches() {
	if c.waiting == nil {
		return
	}
	timer := time.NewTimer(rearming)
	defer timer.Stop()
	select {
	case <-c.waiting:
	case <-timer.C:
	}
	c.waiting = nil
}

// receive reads the answer to the handshake and, within the same deadline, has
// the server know who reads.
func (c *conn) receive() error {
	answer, err := readAnswer(c.Conn)
	if err == nil {
		c.answer = answer
		c.session, c.timeout, err = parseAnswer(answer)
	}
	if err == nil && c.session != 0 && c.dialer.auth != "" {
		err = sendAuth(c.Conn, c.dialer.auth)
	}
	c.dialer.answered(c.address, err)
	if err != nil {
		c.dialer.problem(fmt.Sprintf("no session with %s: %s", c.address, reason(err)))
		if errors.Is(err, io.EOF) || errors.Is(err, syscall.ECONNRESET) {
			c.dialer.cut()
		}
		return fmt.Errorf("read the answer of %s: %w", c.address, err)
	}
	c.rearmed = make(chan struct{})
	c.waiting = c.rearmed
	c.dialer.heard()
	return nil
}

// SetDeadline does nothing before the answer was read.
func (c *conn) SetDeadline(t time.Time) error {
	if !c.handed {
		return nil
	}
	return c.Conn.SetDeadline(t)
}

// SetReadDeadline does nothing before the answer was read.
func (c *conn) SetReadDeadline(t time.Time) error {
	if !c.handed {
		return nil
	}
	return c.Conn.SetReadDeadline(t)
}

// SetWriteDeadline does nothing before the answer was read.
func (c *conn) SetWriteDeadline(t time.Time) error {
	if !c.handed {
		return nil
	}
	return c.Conn.SetWriteDeadline(t)
}

// heard calls back whenever something was read.
type heard struct {
	io.Reader
	back func()
}

func (h heard) Read(p []byte) (int, error) {
	n, err := h.Reader.Read(p)
	if n > 0 {
		h.back()
	}
	return n, err
}
