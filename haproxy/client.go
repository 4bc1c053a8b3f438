package haproxy

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"sync/atomic"
	"time"
)

const (
	// HAProxy 2.0 and 2.2 neither run nor answer a request larger than their buffer of
	// 15,360 bytes.
	maxRequest = 8 << 10
	// A server's line of `show servers state` has about 100 bytes, of `show stat` 350.
	maxReply = 64 << 20

	dialTimeout = time.Second

	// A buffer for replies to commands, and one for the state of all servers, which HAProxy
	// writes in pieces of 16 KB.
	smallRead = 4 << 10
	largeRead = 32 << 10
)

// ErrOtherProcess means that another process than the expected one answered: an older
// generation shares the socket until it stops listening.
var ErrOtherProcess = errors.New("another process answered")

// ErrReplyTooLong means that the replies have more bytes than [Client.MaxReply].
var ErrReplyTooLong = errors.New("the reply is too long")

// Client talks to one stats socket. It is a value without state: every request uses its
// own connection, because a persistent one would keep alive a worker that is stopping.
type Client struct {
	Path string
	// Timeout bounds one request; a dead worker's socket may accept and hang.
	Timeout time.Duration
	// MaxReply bounds the replies to one write; 0 is 64 MB.
	MaxReply int64
	// Took is called with the duration of each write, from connecting until its last reply
	// or its failure, unless the socket accepted no connection; it may be nil.
	Took func(time.Duration)
}

// Ask sends requests and returns their replies in order, without the empty line that
// terminates each. Several requests are sent in one write, joined by `;`, of at most
// 8 KiB; HAProxy runs them in order, and an invalid one does not stop the rest. After an
// error it is unknown which of them have run.
func (c Client) Ask(ctx context.Context, requests ...string) ([]string, error) {
	return c.AskProcess(ctx, 0, requests...)
}

// AskProcess is [Client.Ask] that returns [ErrOtherProcess] unless process pid answered
// each write. To check that, it appends a `show info`, last so that nothing waits for
// it. 0 is any process.
func (c Client) AskProcess(ctx context.Context, pid int, requests ...string) ([]string, error) {
	replies := make([]string, 0, len(requests))
	err := c.eachWrite(pid, requests, func(batch []string) (info string, err error) {
		got, err := c.write(ctx, batch)
		if err != nil {
			return "", err
		}
		if pid != 0 {
			info, got = got[len(got)-1], got[:len(got)-1]
		}
		replies = append(replies, got...)
		return info, nil
	})
	if err != nil {
		return nil, err
	}
	return replies, nil
}

// AskLines is [Client.AskProcess] that passes on the lines of the replies, each with its
// end, instead of keeping them: a reply may have many megabytes. A line is valid during
// the call. Unless the error is nil, they may be those of another process. An error of
// line is returned once everything was read. info is the last reply to `show info`; with
// process 0 there is none.
func (c Client) AskLines(ctx context.Context, pid int, line func(line []byte) error, requests ...string) (info string, err error) {
	var problem error
	err = c.eachWrite(pid, requests, func(batch []string) (string, error) {
		info = ""
		all := len(batch)
		if pid != 0 {
			all--
		}
		err := c.exchange(ctx, batch, largeRead, func(reply int, text []byte) {
			switch {
			case reply == all:
				info += string(text)
			case problem == nil && len(text) > 0:
				problem = line(text)
			}
		})
		return info, err
	})
	if err == nil {
		err = problem
	}
	return info, err
}

// eachWrite calls write for the requests that fit into one write, each time with a `show
// info` whose reply it returns, and checks that process pid has answered.
func (c Client) eachWrite(pid int, requests []string, write func(batch []string) (info string, err error)) error {
	for len(requests) > 0 {
		n, size := 0, len(";show info\n")
		for n < len(requests) && (n == 0 || size+len(requests[n]) < maxRequest) {
			size += len(requests[n]) + 1
			n++
		}
		batch := requests[:n:n]
		if pid != 0 {
			batch = append(batch, ShowInfo)
		}
		info, err := write(batch)
		if err == nil && pid != 0 {
			err = AnsweredBy(pid, info)
		}
		if err != nil {
			return fmt.Errorf("ask %s: %w", c.Path, err)
		}
		requests = requests[n:]
	}
	return nil
}

// pid returns the pid of the process that answers.
func (c Client) pid(ctx context.Context) (int, error) {
	replies, err := c.Ask(ctx, ShowInfo)
	if err != nil {
		return 0, err
	}
	return ParsePID(replies[0])
}

// AnsweredBy returns nil if info, a reply to `show info`, is from process pid, and
// [ErrOtherProcess] if it is from another one.
func AnsweredBy(pid int, info string) error {
	answered, err := ParsePID(info)
	if err == nil && answered != pid {
		err = fmt.Errorf("%w: %d instead of %d", ErrOtherProcess, answered, pid)
	}
	return err
}

// write sends requests in one write and returns their replies.
func (c Client) write(ctx context.Context, requests []string) ([]string, error) {
	kept := replies{all: make([]string, 0, len(requests))}
	err := c.exchange(ctx, requests, smallRead, kept.add)
	return kept.all, err
}

// replies are the replies that [scanReplies] has read.
type replies struct {
	all  []string
	next strings.Builder
}

func (r *replies) add(_ int, line []byte) {
	if len(line) > 0 {
		r.next.Write(line)
		return
	}
	r.all = append(r.all, strings.TrimSuffix(r.next.String(), "\n"))
	r.next.Reset()
}

// exchange sends requests in one write and passes on the lines of the replies as
// [scanReplies] does.
func (c Client) exchange(ctx context.Context, requests []string, buffer int, line func(reply int, line []byte)) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	// Once connected, send the request even if ctx is done meanwhile: HAProxy 3.0.0 keeps
	// the session of a client that disconnects without a request forever, and with it a
	// worker that is stopping; ten of them block the socket.
	begun := time.Now()
	conn, err := net.DialTimeout("unix", c.Path, min(dialTimeout, c.Timeout))
	if err != nil {
		return err
	}
	defer conn.Close()
	if c.Took != nil {
		defer func() { c.Took(time.Since(begun)) }()
	}
	if err := conn.SetDeadline(time.Now().Add(c.Timeout)); err != nil {
		return err
	}
	if _, err := io.WriteString(conn, strings.Join(requests, ";")+"\n"); err != nil {
		return err
	}
	// HAProxy 2.6 and 3.0 keep the session of a client that disconnects within a long reply
	// forever, and with it a worker that is stopping: what has begun is read to its end.
	answering := &answering{Conn: conn}
	stop := context.AfterFunc(ctx, func() {
		if !answering.begun.Load() {
			conn.Close()
		}
	})
	defer stop()
	limit := c.MaxReply
	if limit == 0 {
		limit = maxReply
	}
	err = scanReplies(answering, len(requests), limit, buffer, line)
	if errors.Is(err, ErrReplyTooLong) {
		_, _ = io.Copy(io.Discard, conn) // until the deadline
	}
	if ctx.Err() != nil {
		err = context.Cause(ctx)
	}
	return err
}

// answering is a connection that knows whether anything was read from it.
type answering struct {
	net.Conn
	begun atomic.Bool
}

func (a *answering) Read(p []byte) (n int, err error) {
	n, err = a.Conn.Read(p)
	if n > 0 {
		a.begun.Store(true)
	}
	return n, err
}

// scanReplies reads n replies, each of some lines and an empty one, of at most limit bytes
// together. It passes on each line with its end and the index of its reply, and at the
// end of each reply an empty line without one.
func scanReplies(r io.Reader, n int, limit int64, buffer int, pass func(reply int, line []byte)) error {
	limited := &io.LimitedReader{R: r, N: limit}
	lines := bufio.NewReaderSize(limited, buffer)
	var long []byte // the line, if the buffer is too small for it
	for done := 0; done < n; {
		line, err := lines.ReadSlice('\n')
		if errors.Is(err, bufio.ErrBufferFull) {
			long = append(long, line...)
			continue
		}
		if err != nil {
			switch {
			case errors.Is(err, io.EOF) && limited.N <= 0:
				return fmt.Errorf("%w: it has more than %d bytes", ErrReplyTooLong, limit)
			case errors.Is(err, io.EOF):
				return fmt.Errorf("the connection ended after %d of %d replies: %w", done, n, io.ErrUnexpectedEOF)
			}
			return err
		}
		if len(long) > 0 {
			long = append(long, line...)
			line, long = long, nil
		}
		if string(line) == "\n" {
			pass(done, nil)
			done++
			continue
		}
		pass(done, line)
	}
	return nil
}

// IsTimeout reports whether an error of [Client.Ask] is a timeout, so that an immediate
// retry would only wait again.
func IsTimeout(err error) bool {
	var timeout net.Error
	return errors.As(err, &timeout) && timeout.Timeout()
}
