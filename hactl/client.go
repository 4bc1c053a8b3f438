package hactl

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

const (
	// HAProxy 2.0 and 2.2 neither run nor answer a request beyond their buffer
	// of 15,360 bytes.
	maxRequest = 8 << 10
	// A server's line of `show servers state` is some 100 bytes, `show stat` 350.
	maxReply = 64 << 20

	dialTimeout = time.Second
)

// Client talks to one stats socket. It is a value without state: every request
// is a connection of its own, because a lasting one would hold a worker that is
// told to stop.
type Client struct {
	Path string
	// Timeout bounds one request; a dead worker's socket may accept and hang.
	Timeout time.Duration
}

// Ask sends requests and returns their replies in order, without the empty
// line that ends each. Several go into one write, joined by `;`, of at most
// 8 KiB; HAProxy runs them in order, and a wrong one does not stop the rest.
// An error means that it is not known what has been run.
func (c Client) Ask(ctx context.Context, requests ...string) ([]string, error) {
	return c.askProcess(ctx, 0, requests)
}

// askProcess is Ask, and an error unless process pid answered each write (0 is any).
func (c Client) askProcess(ctx context.Context, pid int, requests []string) ([]string, error) {
	replies := make([]string, 0, len(requests))
	for len(requests) > 0 {
		n, size := 0, len(";show info\n")
		for n < len(requests) && (n == 0 || size+len(requests[n]) < maxRequest) {
			size += len(requests[n]) + 1
			n++
		}
		batch := requests[:n:n]
		if pid != 0 {
			batch = append(batch, "show info")
		}
		got, err := c.write(ctx, batch)
		if err == nil && pid != 0 {
			err = answeredBy(pid, got[n])
		}
		if err != nil {
			return nil, fmt.Errorf("ask %s: %w", c.Path, err)
		}
		replies = append(replies, got[:n]...)
		requests = requests[n:]
	}
	return replies, nil
}

// pid is who answers.
func (c Client) pid(ctx context.Context) (int, error) {
	replies, err := c.Ask(ctx, "show info")
	if err != nil {
		return 0, err
	}
	return ParsePID(replies[0])
}

func answeredBy(pid int, info string) error {
	answered, err := ParsePID(info)
	if err == nil && answered != pid {
		err = fmt.Errorf("%w: %d instead of %d", errOtherProcess, answered, pid)
	}
	return err
}

func (c Client) write(ctx context.Context, requests []string) ([]string, error) {
	if ctx.Err() != nil {
		return nil, context.Cause(ctx)
	}
	// Whoever has connected asks, also when ctx is done meanwhile: HAProxy 3.0.0
	// keeps the session of a client that leaves without a word for ever, and with
	// it a worker that is told to stop; ten of them block the socket.
	conn, err := net.DialTimeout("unix", c.Path, min(dialTimeout, c.Timeout))
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	if err := conn.SetDeadline(time.Now().Add(c.Timeout)); err != nil {
		return nil, err
	}
	if _, err := io.WriteString(conn, strings.Join(requests, ";")+"\n"); err != nil {
		return nil, err
	}
	stop := context.AfterFunc(ctx, func() { conn.Close() })
	defer stop()
	replies, err := readReplies(conn, len(requests))
	if ctx.Err() != nil {
		err = context.Cause(ctx)
	}
	return replies, err
}

// readReplies reads n replies, each some lines and an empty one.
func readReplies(r io.Reader, n int) ([]string, error) {
	lines := bufio.NewReader(io.LimitReader(r, maxReply))
	replies := make([]string, 0, n)
	var reply strings.Builder
	for len(replies) < n {
		line, err := lines.ReadString('\n')
		if err != nil {
			if errors.Is(err, io.EOF) {
				return nil, fmt.Errorf("the connection ended after %d of %d replies: %w", len(replies), n, io.ErrUnexpectedEOF)
			}
			return nil, err
		}
		if line == "\n" {
			replies = append(replies, strings.TrimSuffix(reply.String(), "\n"))
			reply.Reset()
			continue
		}
		reply.WriteString(line)
	}
	return replies, nil
}

// isTimeout tells whether nothing came in time, so that asking again at once
// would only wait again.
func isTimeout(err error) bool {
	var timeout net.Error
	return errors.As(err, &timeout) && timeout.Timeout()
}

// noDescriptor tells whether something failed because there was none to be had,
// for this process or for the whole machine: it is nobody else's fault.
func noDescriptor(err error) bool { return errors.Is(err, unix.EMFILE) || errors.Is(err, unix.ENFILE) }
