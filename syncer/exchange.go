package syncer

import (
	"context"
	"encoding/binary"

	"github.com/go-zookeeper/zk"
)

// ownNumbers is where the numbers of our own requests begin: the library's begin at 1. An
// answer belongs to the oldest request in any case.
const ownNumbers = 1 << 30

// reply is the answer to a request of our own.
type reply struct {
	code int32
	zxid int64
	body body
}

// exchange sends a request of our own over a connection with a session, beside those of the
// library, and returns the answer once there is one. The error is [zk.ErrClosing] if ctx is
// done before, [zk.ErrConnectionClosed] if the connection ends: the library ends one that
// answers nothing. Any goroutine may call it.
func (c *conn) exchange(ctx context.Context, operation uint32, request []byte) (reply, error) {
	answered := make(chan reply, 1)
	if err := c.send(operation, request, answered); err != nil {
		return reply{}, zk.ErrConnectionClosed
	}
	select {
	case r := <-answered:
		if operation == opMultiRead {
			c.dialer.old.answered(c.address)
		}
		return r, nil
	case <-c.ended:
		if operation == opMultiRead {
			c.unanswered.Do(c.noteUnanswered)
		}
		return reply{}, zk.ErrConnectionClosed
	case <-ctx.Done():
		return reply{}, zk.ErrClosing
	}
}

func (c *conn) send(operation uint32, request []byte, answered chan<- reply) error {
	c.writing.Lock()
	defer c.writing.Unlock()
	c.own++
	frame := binary.BigEndian.AppendUint32(make([]byte, 0, offsetOperation+4+len(request)), uint32(offsetOperation+len(request)))
	frame = binary.BigEndian.AppendUint32(frame, ownNumbers|c.own%ownNumbers)
	frame = append(binary.BigEndian.AppendUint32(frame, operation), request...)
	c.sent.add(frame, answered)
	_, err := c.Conn.Write(frame)
	return err
}

// readData reads the data of nodes, with the zxid of that state. The error is
// errListTooLong if the answer is, else one of the connection; those of single nodes are in
// the readings.
func (c *conn) readData(ctx context.Context, paths []string) ([]reading, int64, error) {
	r, err := c.exchange(ctx, opMultiRead, multiRead(paths))
	switch {
	case err != nil:
		return nil, 0, err
	case r.code == codeTooLong:
		return nil, 0, errListTooLong
	case r.code != 0:
		return nil, 0, readError(r.code)
	}
	all, err := parseReadings(r.body, len(paths))
	return all, r.zxid, err
}

// watchData sets watches on the data of nodes, as it was at a zxid. A node that has changed
// since, or does not exist any more, fires at once.
func (c *conn) watchData(ctx context.Context, zxid int64, paths []string) error {
	r, err := c.exchange(ctx, opSetWatches, watchRequest(zxid, paths))
	if err == nil && r.code != 0 {
		err = readError(r.code)
	}
	return err
}

// readsMany reports whether the server reads many nodes at once, as far as is known.
func (c *conn) readsMany() bool { return c != nil && !c.dialer.old.has(c.address) }

// noteUnanswered records that the connection has ended before a multi-read was answered,
// unless that is known to be the reason.
func (c *conn) noteUnanswered() {
	if !c.dialer.old.has(c.address) && c.dialer.ctx.Err() == nil && c.dialer.old.ended(c.address) {
		c.dialer.noteOld(c.address)
	}
}

// passOn passes on the answer to a request of our own.
func (r request) passOn(h head, b body) {
	r.reply <- reply{h.code, h.zxid, append(body(nil), b...)} // it has room for one
}
