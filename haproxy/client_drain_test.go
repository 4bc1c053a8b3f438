package haproxy

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"path/filepath"
	"testing"
	"time"
)

// HAProxy 2.6 and 3.0 keep the session of a client that disconnects within a reply.
func TestRepliesAreReadToTheirEnd(t *testing.T) {
	reply := bytes.Repeat([]byte("0x7f /path/ group\n"), 30_000)
	for name, test := range map[string]struct {
		client Client
		cancel bool
		want   error
	}{
		"too long": {Client{Timeout: time.Minute, MaxReply: 100_000}, false, ErrReplyTooLong},
		"canceled": {Client{Timeout: time.Minute}, true, context.Canceled},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test.client.Path = filepath.Join(t.TempDir(), "s")
			l, err := net.Listen("unix", test.client.Path)
			if err != nil {
				t.Fatal(err)
			}
			defer l.Close()
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			asked := make(chan error, 1)
			go func() {
				_, err := test.client.Ask(ctx, "show map m")
				asked <- err
			}()
			conn, err := l.Accept()
			if err != nil {
				t.Fatal(err)
			}
			if _, err := conn.Read(make([]byte, 100)); err != nil {
				t.Fatal(err)
			}
			half := len(reply) / 2 // more than the socket's buffer: some of it has been read
			if _, err := conn.Write(reply[:half]); err != nil {
				t.Errorf("the client disconnected: %v", err)
			}
			if test.cancel {
				cancel()
			}
			if _, err := conn.Write(reply[half:]); err != nil {
				t.Errorf("the client disconnected: %v", err)
			}
			// HAProxy ends the connection after the last reply.
			if err := conn.Close(); err != nil {
				t.Error(err)
			}
			if err := <-asked; !errors.Is(err, test.want) || errors.Is(err, io.ErrUnexpectedEOF) {
				t.Errorf("error %v instead of %v", err, test.want)
			}
		})
	}
}

// A hung process says nothing, and nobody waits for it any longer.
func TestCanceledBeforeTheReplyEndsAtOnce(t *testing.T) {
	t.Parallel()
	hang := newStub(t, func(string) string { return "hang" })
	ctx, cancel := context.WithCancel(t.Context())
	time.AfterFunc(20*time.Millisecond, cancel)
	begun := time.Now()
	if _, err := (Client{Path: hang.path, Timeout: time.Minute}).Ask(ctx, "show info"); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	if took := time.Since(begun); took > 10*time.Second {
		t.Errorf("it took %v", took)
	}
}
