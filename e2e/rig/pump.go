package rig

import (
	"encoding/binary"
	"net"
	"sync"
	"time"
)

// pump forwards one direction of a passage. rule returns a channel that is closed while
// bytes pass, and by how much to delay them.
type pump struct {
	*passage
	to, from net.Conn
	rule     func() (gate chan struct{}, delay time.Duration)
	seen     func([]byte) (pass bool)
}

// piece is the result of one read.
type piece struct {
	bytes []byte
	due   time.Time
}

// run returns when the passage has ended. The end of one side is forwarded in order:
// after everything that came before, and not while nothing passes.
func (p *pump) run() {
	defer p.end()
	pieces := make(chan piece, 1024)
	var reading sync.WaitGroup
	defer reading.Wait()
	defer p.end() // which ends the reading
	reading.Go(func() {
		defer close(pieces)
		for {
			buffer := make([]byte, 32<<10)
			n, err := p.from.Read(buffer)
			_, delay := p.rule()
			select {
			case pieces <- piece{buffer[:n], time.Now().Add(delay)}:
			case <-p.ctx.Done():
				return
			}
			if err != nil {
				return
			}
		}
	})
	for next := range pieces {
		if !p.hold(next.due) {
			return
		}
		if !p.seen(next.bytes) {
			continue
		}
		if _, err := p.to.Write(next.bytes); err != nil {
			return
		}
	}
}

// hold waits until it is time and bytes pass; false means the end of the passage.
func (p *pump) hold(due time.Time) bool {
	timer := time.NewTimer(time.Until(due))
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-p.ctx.Done():
		return false
	}
	gate, _ := p.rule()
	select {
	case <-gate:
		return true
	case <-p.ctx.Done():
		return false
	}
}

// requestCounter extracts numbers and operations from a stream of ZooKeeper requests:
// length (4), number (4), operation (4), more. The first is the handshake, which has
// neither.
type requestCounter struct {
	each func(number uint32, operation int32)

	head  [12]byte
	have  int
	left  int
	shook bool
}

func (c *requestCounter) feed(b []byte) (pass bool) {
	for len(b) > 0 {
		if c.left > 0 {
			n := min(c.left, len(b))
			c.left -= n
			b = b[n:]
			continue
		}
		n := copy(c.head[c.have:], b)
		c.have += n
		b = b[n:]
		if c.have < len(c.head) {
			return true
		}
		c.have = 0
		c.left = max(0, int(binary.BigEndian.Uint32(c.head[:]))-8)
		if c.shook {
			c.each(binary.BigEndian.Uint32(c.head[4:]), int32(binary.BigEndian.Uint32(c.head[8:])))
		}
		c.shook = true
	}
	return true
}
