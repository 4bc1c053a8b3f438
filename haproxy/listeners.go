package haproxy

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"time"

	"golang.org/x/sys/unix"
)

// Listeners are copies of the listening sockets of an HAProxy, its stats sockets included,
// in the form in which its processes hand them over. While they are open the kernel
// accepts connections for them, whether or not a process of HAProxy is alive. They are
// closed on exec. Its methods must not be called at the same time.
type Listeners struct{ sockets []listeningSocket }

type listeningSocket struct {
	fd int
	// record is what HAProxy says about the socket besides the descriptor.
	record []byte
}

// Count returns the number of sockets.
func (l *Listeners) Count() int { return len(l.sockets) }

// Close closes the sockets. It may be called twice.
func (l *Listeners) Close() {
	for _, s := range l.sockets {
		unix.Close(s.fd)
	}
	l.sockets = nil
}

// handoverRequest asks a process on its stats socket for its listening sockets. `-x` sends
// the same. Without `expose-fd listeners` HAProxy closes the connection instead of an
// answer:
//
//	number of sockets, 4 bytes in the machine's order
//	message, with at most 253 descriptors attached: a record for each of them
//	  one acknowledgment, of any length, of the receiver
//	next message, …
//
// A record is namespace and interface, each one byte of length and the name, and four
// bytes of options.
const handoverRequest = "_getsocks\n"

const (
	// maxDescriptors is the kernel's SCM_MAX_FD, and the most that a message of HAProxy has.
	maxDescriptors = 253
	// givenAtOnce is how many descriptors a message of ours has: HAProxy 2.0 to 2.2 have room
	// for 253, later versions for 252.
	givenAtOnce = 128
	recordTail  = 4
	// maxRecord has a namespace's longest name and the longest name of an interface.
	maxRecord = 1 + 255 + 1 + 15 + recordTail
	// giveWithin bounds one exchange; the receiver gives up after a second.
	giveWithin = 2 * time.Second
)

// Give hands the sockets over to an HAProxy that was started with `-x` and has connected.
// It returns once HAProxy has acknowledged all of them, within two seconds.
func (l *Listeners) Give(conn *net.UnixConn) error {
	if err := l.give(conn); err != nil {
		return fmt.Errorf("hand over %d listening sockets: %w", len(l.sockets), err)
	}
	return nil
}

func (l *Listeners) give(conn *net.UnixConn) error {
	if err := conn.SetDeadline(time.Now().Add(giveWithin)); err != nil {
		return err
	}
	request := make([]byte, len(handoverRequest))
	if _, err := io.ReadFull(conn, request); err != nil {
		return fmt.Errorf("read the request: %w", err)
	}
	if string(request) != handoverRequest {
		return fmt.Errorf("HAProxy requested %q instead of %q", request, handoverRequest)
	}
	number := binary.NativeEndian.AppendUint32(nil, uint32(len(l.sockets))) //nolint:gosec // bounded when they were taken
	if _, err := conn.Write(number); err != nil {
		return err
	}
	for some := range slices.Chunk(l.sockets, givenAtOnce) {
		var records []byte
		var fds []int
		for _, s := range some {
			records, fds = append(records, s.record...), append(fds, s.fd)
		}
		switch n, _, err := conn.WriteMsgUnix(records, unix.UnixRights(fds...), nil); {
		case err != nil:
			return err
		case n < len(records):
			return io.ErrShortWrite
		}
		if _, err := conn.Read(make([]byte, 64)); err != nil {
			return fmt.Errorf("read the acknowledgment: %w", err)
		}
	}
	return nil
}

// receiveListeners requests the listening sockets of the process behind a connection to
// its stats socket, at most most.
func receiveListeners(conn *net.UnixConn, most int) (*Listeners, error) {
	if _, err := io.WriteString(conn, handoverRequest); err != nil {
		return nil, err
	}
	var number [4]byte
	if _, err := io.ReadFull(conn, number[:]); err != nil {
		if errors.Is(err, io.EOF) {
			return nil, errors.New("HAProxy handed over nothing: its `stats socket` needs `expose-fd listeners`")
		}
		return nil, fmt.Errorf("read the number of sockets: %w", err)
	}
	count := int(int32(binary.NativeEndian.Uint32(number[:]))) //nolint:gosec // HAProxy's int
	if count < 1 || count > most {
		return nil, fmt.Errorf("HAProxy announced %d listening sockets, at most %d can be kept", count, most)
	}
	fds, records, err := receiveMessages(conn, count)
	if err == nil {
		err = allListen(fds)
	}
	if err != nil {
		for _, fd := range fds {
			unix.Close(fd)
		}
		return nil, err
	}
	l := &Listeners{}
	for i, fd := range fds {
		l.sockets = append(l.sockets, listeningSocket{fd, records[i]})
	}
	return l, nil
}

// receiveMessages returns count descriptors and their records. In addition to an error it
// returns the descriptors that have arrived.
func receiveMessages(conn *net.UnixConn, count int) (fds []int, records [][]byte, err error) {
	var data []byte
	buffer, control := make([]byte, maxDescriptors*maxRecord), make([]byte, unix.CmsgSpace(maxDescriptors*4))
	for len(fds) < count || len(records) < count {
		n, controls, flags, _, err := conn.ReadMsgUnix(buffer, control)
		n, controls = max(0, n), max(0, controls) // they are -1 if the wait for a message was interrupted
		got, parsing := descriptorsIn(control[:controls])
		fds, data = append(fds, got...), append(data, buffer[:n]...)
		records = splitRecords(data)
		switch {
		case flags&unix.MSG_CTRUNC != 0:
			return fds, nil, fmt.Errorf("descriptors were dropped: %w", unix.EMFILE)
		case errors.Is(err, io.EOF), err == nil && n == 0:
			return fds, nil, fmt.Errorf("%d of %d sockets arrived: %w", len(fds), count, io.ErrUnexpectedEOF)
		case err != nil, parsing != nil:
			return fds, nil, errors.Join(err, parsing)
		case len(fds) > count || len(records) > count || len(data) > count*maxRecord:
			return fds, nil, fmt.Errorf("%d sockets were announced, %d arrived with %d records of %d bytes", count, len(fds), len(records), len(data))
		}
		if len(got) == 0 {
			continue // the rest of a message
		}
		// After the last message HAProxy does not wait for it.
		if _, err := conn.Write(make([]byte, 4)); err != nil && len(fds) < count {
			return fds, nil, fmt.Errorf("acknowledge %d of %d sockets: %w", len(fds), count, err)
		}
	}
	return fds, records, nil
}

func descriptorsIn(control []byte) (fds []int, err error) {
	messages, err := unix.ParseSocketControlMessage(control)
	if err != nil {
		return nil, err
	}
	for i := range messages {
		got, err := unix.ParseUnixRights(&messages[i])
		if err != nil {
			return fds, err
		}
		fds = append(fds, got...)
	}
	return fds, nil
}

// splitRecords returns the complete records at the beginning of data.
func splitRecords(data []byte) (records [][]byte) {
	for {
		size := 0
		for range 2 { // namespace, interface
			if len(data) <= size {
				return records
			}
			size += 1 + int(data[size])
		}
		if size += recordTail; len(data) < size {
			return records
		}
		records, data = append(records, data[:size:size]), data[size:]
	}
}

// allListen returns nil if all descriptors are sockets, and those of streams listen.
func allListen(fds []int) error {
	for _, fd := range fds {
		kind, err := unix.GetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_TYPE)
		if err != nil {
			return fmt.Errorf("HAProxy handed over a descriptor that is no socket: %w", err)
		}
		listens, err := unix.GetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_ACCEPTCONN)
		if err == nil && kind == unix.SOCK_STREAM && listens == 0 {
			err = errors.New("it does not listen")
		}
		if err != nil {
			return fmt.Errorf("HAProxy handed over a socket that cannot be kept: %w", err)
		}
	}
	return nil
}
