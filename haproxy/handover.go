package haproxy

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"time"
)

// Handover takes copies of HAProxy's listening sockets from its processes.
type Handover struct {
	// Sockets are the stats sockets.
	Sockets []string
	// Timeout bounds the exchange with one process.
	Timeout time.Duration
	// Most is the largest number of listening sockets that is taken.
	Most int
}

// Take returns the listening sockets of one of the processes, which has those of all
// processes of its generation. It tries one stats socket after the other; while other
// processes answer on them it repeats that until ctx is done.
func (h Handover) Take(ctx context.Context, pids []int) (*Listeners, error) {
	var other error
	for {
		var problems []error
		again := false
		for _, path := range h.Sockets {
			l, err := h.takeFrom(ctx, path, pids)
			if err == nil {
				return l, nil
			}
			err = fmt.Errorf("take the listening sockets from %s: %w", path, err)
			if errors.Is(err, ErrOtherProcess) {
				other, again = err, true
			} else {
				problems = append(problems, err)
			}
		}
		if again {
			select {
			case <-time.After(probeEvery):
				continue
			case <-ctx.Done():
			}
		}
		return nil, errors.Join(append(problems, other)...)
	}
}

func (h Handover) takeFrom(ctx context.Context, path string, pids []int) (*Listeners, error) {
	if ctx.Err() != nil {
		return nil, context.Cause(ctx)
	}
	conn, err := net.DialTimeout("unix", path, min(dialTimeout, h.Timeout))
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	if err := conn.SetDeadline(time.Now().Add(h.Timeout)); err != nil {
		return nil, err
	}
	// Only interactive mode allows a second command on the connection, and with it to know
	// which of the processes that share the stats socket answers it. As in [Client], a
	// connection is not closed without a command.
	if _, err := io.WriteString(conn, "prompt\n"); err != nil {
		return nil, err
	}
	defer context.AfterFunc(ctx, func() { conn.Close() })()
	if _, err := untilPrompt(conn); err != nil {
		return nil, err
	}
	if _, err := io.WriteString(conn, ShowInfo+"\n"); err != nil {
		return nil, err
	}
	info, err := untilPrompt(conn)
	if err != nil {
		return nil, err
	}
	switch pid, err := ParsePID(info); {
	case err != nil:
		return nil, err
	case !slices.Contains(pids, pid):
		return nil, fmt.Errorf("%w: %d instead of one of %v", ErrOtherProcess, pid, pids)
	}
	return receiveListeners(conn.(*net.UnixConn), h.Most)
}

// maxInfo bounds the reply to `show info`, of some 1,300 bytes.
const maxInfo = 64 << 10

// untilPrompt reads a reply in interactive mode and returns it without the prompt that ends
// it.
func untilPrompt(conn net.Conn) (string, error) {
	prompt := []byte("\n> ")
	var reply []byte
	buffer := make([]byte, 4<<10)
	for len(reply) < maxInfo {
		n, err := conn.Read(buffer)
		reply = append(reply, buffer[:n]...)
		if text, found := bytes.CutSuffix(reply, prompt); found {
			return string(text), nil
		}
		if err != nil {
			return "", fmt.Errorf("no prompt after %d bytes: %w", len(reply), err)
		}
	}
	return "", fmt.Errorf("no prompt after %d bytes", len(reply))
}
