package rig

import (
	"encoding/binary"
	"net"
	"sync"
	"time"
)

// pump forwards one way of a passage. rule gives what is closed while bytes pass,
// and how much later than read they do.
type pump struct {
	*passage
	to, from net.Conn
	rule     func() (gate chan struct{}, delay time.Duration)
	seen     func([]byte)
}

// piece is what was read at once.
type piece struct {
	bytes []byte
	due   time.Time
}

// run returns when the passage has ended. One side's end ends it when it has been
// forwarded: behind all that came before, and not while nothing passes.
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
		p.seen(next.bytes)
		if _, err := p.to.Write(next.bytes); err != nil {
			return
		}
	}
}

// hold waits until it is time and bytes pass; false is the end of the passage.
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

// requestCounter finds the operations in a stream of ZooKeeper's requests: length
// (4), number (4), operation (4), more. The first is the handshake, which has
// none.
type requestCounter struct {
	each func(operation int32)

	head  [12]byte
	have  int
	left  int
	shook bool
}

func (c *requestCounter) feed(b []byte) {
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
			return
		}
		c.have = 0
		c.left = max(0, int(binary.BigEndian.Uint32(c.head[:]))-8)
		if c.shook {
			c.each(int32(binary.BigEndian.Uint32(c.head[8:])))
		}
		c.shook = true
	}
}
