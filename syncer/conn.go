package syncer

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
	"syscall"
	"time"
)

// rearmTimeout bounds the wait for the library to set watches again, which it does only
// if it has any. It looks for them before the first answer can add one.
const rearmTimeout = 20 * time.Millisecond

// conn is one connection to a server.
//
// Until the first answer, that of the handshake, has been read, the dialer's deadline
// applies whatever the library sets: it would wait ten times its receive timeout for the
// length of the answer and forever for the rest. The answer is read completely and
// checked first, because the library allocates whatever length it claims.
//
// After that nothing is read until the library has sent the request that sets its
// watches again: it looks up the last zxid without a lock, while it already reads
// answers. The zxid in that request is corrected (see [lastSeenZxid]).
type conn struct {
	net.Conn
	address string
	dialer  *dialer

	// Only the library's loop writes these, before it starts the goroutines that read and
	// write.
	answered bool
	answer   []byte // the part not yet read by the library
	handed   bool   // the answer was read; the library sets deadlines now

	asked   asked
	session int64         // 0 if the requested session has expired
	timeout time.Duration // as granted, or shorter

	rearmed chan struct{}   // closed, then set to nil, by Write
	waiting <-chan struct{} // the same channel for Read; nil after the wait

	lastSeenZxid lastSeenZxid
	writing      sync.Mutex // requests are sent in the order in which they are recorded
	sent         sent
	own          uint32        // number of our own requests so far
	unanswered   sync.Once     // used when it ends before a multi-read is answered
	ended        chan struct{} // closed with the connection
	ending       sync.Once
	answers      *answers // used by Read; nil during the handshake
	// fault is why this side closed the connection. Read writes it; the library's loop may
	// read it once Read has returned for the last time.
	fault string
}

func (c *conn) Read(p []byte) (int, error) {
	if c.handed {
		return c.read(p)
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

// read reads what follows the handshake. A protocol violation closes the connection.
func (c *conn) read(p []byte) (int, error) {
	c.awaitWatches()
	if c.answers == nil {
		c.answers = &answers{
			from: bufio.NewReader(heard{c.Conn, c.dialer.heard}), sent: &c.sent, each: c.lastSeenZxid.answered,
			root: c.dialer.chroot, patience: c.timeout, took: c.dialer.took,
		}
	}
	n, err := c.answers.Read(p)
	if fault, is := errors.AsType[*fault](err); is {
		c.fault = fault.Error()
		if fault == errOldServer && c.dialer.old.rejected(c.address) {
			c.dialer.noteOld(c.address)
		}
		_ = c.Close() // unblocks a pending write
	}
	return n, err
}

func (c *conn) Write(p []byte) (int, error) {
	if !c.handed {
		c.lastSeenZxid.begin(p, c.dialer.lastSeenZxid)
		return c.Conn.Write(c.asked.correct(p))
	}
	if c.rearmed != nil && isSetWatches(p) {
		close(c.rearmed)
		c.rearmed = nil
	}
	c.writing.Lock()
	defer c.writing.Unlock()
	c.sent.note(p)
	return c.Conn.Write(c.lastSeenZxid.correct(p))
}

// Close ends our own requests as well.
func (c *conn) Close() error {
	err := c.Conn.Close()
	c.ending.Do(func() { close(c.ended) })
	return err
}

func (c *conn) awaitWatches() {
	if c.waiting == nil {
		return
	}
	timer := time.NewTimer(rearmTimeout)
	defer timer.Stop()
	select {
	case <-c.waiting:
	case <-timer.C:
	}
	c.waiting = nil
}

// receive reads the answer to the handshake and, within the same deadline, sends the
// credentials.
func (c *conn) receive() error {
	answer, err := readAnswer(c.Conn)
	if err == nil {
		c.answer = answer
		c.session, c.timeout, err = parseAnswer(answer, c.asked)
	}
	if err == nil && c.session != 0 && c.dialer.sasl != "" {
		err = sendSASL(c.Conn, c.dialer.sasl)
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

// SetDeadline does nothing during the handshake.
func (c *conn) SetDeadline(t time.Time) error {
	if !c.handed {
		return nil
	}
	return c.Conn.SetDeadline(t)
}

// SetReadDeadline does nothing during the handshake.
func (c *conn) SetReadDeadline(t time.Time) error {
	if !c.handed {
		return nil
	}
	return c.Conn.SetReadDeadline(t)
}

// SetWriteDeadline does nothing during the handshake.
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
