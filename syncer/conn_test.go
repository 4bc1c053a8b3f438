package syncer

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"os"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// answerBytes returns a server's answer to a handshake.
func answerBytes(session int64, timeout time.Duration) []byte {
	b := binary.BigEndian.AppendUint32(nil, answerMin+1)
	b = binary.BigEndian.AppendUint32(b, 0)
	b = binary.BigEndian.AppendUint32(b, uint32(timeout.Milliseconds()))
	b = binary.BigEndian.AppendUint64(b, uint64(session))
	b = binary.BigEndian.AppendUint32(b, passwordLength)
	return append(b, make([]byte, passwordLength+1)...)
}

// testConn dials one end of a pipe and returns both ends.
func testConn(t *testing.T) (c *conn, far net.Conn, d *testDialer) {
	t.Helper()
	d = newTestDialer(t, 1)
	d.heard = func() {}
	d.cut = func() {}
	c, far = connWith(t, d)
	return c, far, d
}

// connWith dials one end of another pipe and returns both ends.
func connWith(t *testing.T, d *testDialer) (c *conn, far net.Conn) {
	t.Helper()
	near, far := net.Pipe()
	t.Cleanup(func() {
		_ = near.Close()
		_ = far.Close()
	})
	d.connect = func(context.Context, string, string) (net.Conn, error) { return near, nil }
	dialed, err := d.dial("tcp", "zk:2181", time.Second)
	if err != nil {
		t.Fatal(err)
	}
	return dialed.(*conn), far
}

// authenticate reads like the library's function of that name.
func authenticate(c net.Conn) error {
	_ = c.SetReadDeadline(time.Now().Add(time.Hour))
	head := make([]byte, 4)
	if _, err := io.ReadFull(c, head); err != nil {
		return err
	}
	_ = c.SetReadDeadline(time.Time{})
	_, err := io.ReadFull(c, make([]byte, binary.BigEndian.Uint32(head)))
	return err
}

func TestHandshakeIsBounded(t *testing.T) {
	good := answerBytes(7, time.Second)
	for name, said := range map[string][]byte{
		"nothing": nil, "a part of the length": good[:2], "the length": good[:4], "most": good[:len(good)-1],
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				before := time.Now()
				c, far, d := testConn(t)
				go func() { _, _ = far.Write(said) }()
				err := authenticate(c)
				if !errors.Is(err, os.ErrDeadlineExceeded) || time.Since(before) != patienceMin {
					t.Errorf("%v after %v", err, time.Since(before))
				}
				if d.problems[0] != "no session with zk:2181: timed out" {
					t.Error(d.problems[0])
				}
			})
		})
	}
}

func TestHandshakeWriteIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		before := time.Now()
		c, _, _ := testConn(t)
		_ = c.SetWriteDeadline(time.Now().Add(time.Hour))
		_ = c.SetDeadline(time.Time{})
		_, err := c.Write(make([]byte, 45))
		if !errors.Is(err, os.ErrDeadlineExceeded) || time.Since(before) != patienceMin {
			t.Errorf("%v after %v", err, time.Since(before))
		}
	})
}

func TestHandshakeAnswerIsRejected(t *testing.T) {
	with := func(offset int, value uint32) []byte {
		answer := answerBytes(7, time.Second)
		binary.BigEndian.PutUint32(answer[offset:], value)
		return answer
	}
	readOnly := answerBytes(7, time.Second)
	readOnly[4+answerMin] = 1
	for name, test := range map[string]struct {
		session int64 // asked for
		said    []byte
		want    string
	}{
		"a web server":         {0, []byte("HTTP/1.1 400 Bad Request\r\n" + strings.Repeat("x", 500)), errNotZooKeeper.Error()},
		"zeros":                {0, make([]byte, 500), errNotZooKeeper.Error()},
		"a longer password":    {0, with(offsetPassword, 1<<30), errNotZooKeeper.Error()},
		"a longer answer":      {0, append(with(0, answerMax+1), 0), errNotZooKeeper.Error()},
		"another protocol":     {0, with(offsetVersion, 1), errNotZooKeeper.Error()},
		"another session":      {6, answerBytes(7, time.Second), errNotZooKeeper.Error()},
		"no session":           {0, answerBytes(0, time.Second), errNoStart.Error()},
		"a read-only server":   {0, readOnly, errReadOnly.Error()},
		"no timeout":           {0, answerBytes(7, 0), "session timeout of 0s, 10s was requested"},
		"a timeout before now": {0, answerBytes(7, -time.Second), "session timeout of -1s, 10s was requested"},
		"a timeout of 1 ms":    {0, answerBytes(7, time.Millisecond), "session timeout of 1ms, 10s was requested"},
		"a timeout of 24 days": {0, answerBytes(7, 24*24*time.Hour), "session timeout of 576h0m0s, 10s was requested"},
	} {
		t.Run(name, func(t *testing.T) {
			c, far, d := testConn(t)
			go func() {
				_, _ = io.ReadFull(far, make([]byte, len(handshake(0))))
				_, _ = far.Write(test.said)
			}()
			if _, err := c.Write(resume(test.session)); err != nil {
				t.Fatal(err)
			}
			if err := authenticate(c); err == nil || !strings.Contains(err.Error(), test.want) || !strings.Contains(d.problems[0], test.want) {
				t.Error(err, d.problems)
			}
		})
	}
}

// resume returns the handshake request of a client with a session of one second.
func resume(session int64) []byte {
	request := handshake(0)
	binary.BigEndian.PutUint32(request[offsetAskedTimeout:], 1000)
	binary.BigEndian.PutUint64(request[offsetAskedSession:], uint64(session))
	return request
}

// The configured timeout is requested, whatever a server granted before. A longer grant
// never delays the detection of a dead connection.
func TestSessionTimeoutIsNeverLongerThanAsked(t *testing.T) {
	for granted, want := range map[time.Duration]time.Duration{
		time.Second: time.Second, 10 * time.Second: 10 * time.Second, 30 * time.Second: 10 * time.Second, time.Hour: 10 * time.Second,
	} {
		t.Run(granted.String(), func(t *testing.T) {
			c, far, _ := testConn(t)
			request := make([]byte, len(handshake(0)))
			go func() {
				_, _ = io.ReadFull(far, request)
				_, _ = far.Write(answerBytes(7, granted))
			}()
			if _, err := c.Write(resume(7)); err != nil {
				t.Fatal(err)
			}
			answer := make([]byte, 4+answerMax)
			if _, err := io.ReadFull(c, answer); err != nil {
				t.Fatal(err)
			}
			if got := binary.BigEndian.Uint32(request[offsetAskedTimeout:]); got != 10_000 {
				t.Errorf("asked for %d ms", got)
			}
			if got := time.Duration(binary.BigEndian.Uint32(answer[offsetTimeout:])) * time.Millisecond; got != want || c.timeout != want {
				t.Errorf("the library gets %v, the session has %v, want %v", got, c.timeout, want)
			}
		})
	}
}

func TestConnectionClosedDuringHandshake(t *testing.T) {
	c, far, d := testConn(t)
	cut := 0
	d.cut = func() { cut++ }
	_ = far.Close()
	if err := authenticate(c); !errors.Is(err, io.EOF) || cut != 1 {
		t.Errorf("%v, cut %d times", err, cut)
	}
}

func TestDeadlinesAfterTheHandshake(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, far, d := testConn(t)
		heard := 0
		d.heard = func() { heard++ }
		go func() { _, _ = far.Write(answerBytes(7, 10*time.Second)) }()
		if err := authenticate(c); err != nil {
			t.Fatal(err)
		}
		if c.session != 7 || c.timeout != 10*time.Second {
			t.Errorf("session %d for %v", c.session, c.timeout)
		}

		c.sent.note(requestOf(1, opClose))
		// Later than the handshake's deadline.
		go func() {
			<-time.After(5 * time.Second) // the bubble's clock
			_, _ = far.Write(answerOf(1, 0, 0))
		}()
		if _, err := io.ReadFull(c, make([]byte, 20)); err != nil {
			t.Fatal(err)
		}
		if heard != 2 { // the handshake's answer, and one read of the whole frame
			t.Errorf("heard %d times", heard)
		}

		before := time.Now()
		_ = c.SetReadDeadline(time.Now().Add(time.Second))
		if _, err := c.Read(make([]byte, 4)); !errors.Is(err, os.ErrDeadlineExceeded) || time.Since(before) != time.Second {
			t.Errorf("%v after %v", err, time.Since(before))
		}
		_ = c.SetWriteDeadline(time.Now().Add(time.Second))
		if _, err := c.Write(make([]byte, 4)); !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Error(err)
		}
	})
}

func TestReadWaitsForRearmedWatches(t *testing.T) {
	setWatches := binary.BigEndian.AppendUint32(make([]byte, offsetOperation), opSetWatches)
	other := make([]byte, 16)
	connect := func(t *testing.T) (c *conn, got chan time.Time) {
		c, far, _ := testConn(t)
		go func() {
			_, _ = far.Write(answerBytes(7, time.Second))
			_, _ = far.Write(answerOf(0, 0, 0))
		}()
		go func() { _, _ = io.Copy(io.Discard, far) }()
		if err := authenticate(c); err != nil {
			t.Fatal(err)
		}
		got = make(chan time.Time, 1)
		go func() {
			_, _ = c.Read(make([]byte, 6))
			got <- time.Now()
		}()
		return c, got
	}
	t.Run("watches", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			c, got := connect(t)
			before := time.Now()
			_, _ = c.Write(other)
			<-time.After(rearmTimeout / 2) // the bubble's clock
			_, _ = c.Write(setWatches)
			if waited := (<-got).Sub(before); waited != rearmTimeout/2 {
				t.Errorf("read after %v", waited)
			}
			_, _ = c.Write(setWatches)
		})
	})
	t.Run("no watches", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			c, got := connect(t)
			before := time.Now()
			_, _ = c.Write(other)
			if waited := (<-got).Sub(before); waited != rearmTimeout {
				t.Errorf("read after %v", waited)
			}
		})
	})
}

// FuzzHandshake checks that no answer to a handshake yields a session that was not
// requested, or a timeout that the library could not keep or would not notice.
func FuzzHandshake(f *testing.F) {
	f.Fuzz(func(t *testing.T, said []byte, session int64) {
		ours := asked{timeout: 10 * time.Second, session: session}
		answer, err := readAnswer(bytes.NewReader(said))
		if err != nil {
			return
		}
		got, timeout, err := parseAnswer(answer, ours)
		switch {
		case err != nil:
			return
		case got == 0 && session == 0, got != 0 && session != 0 && got != session:
			t.Errorf("session %d where %d was asked for", got, session)
		case got != 0 && (timeout < grantedMin || timeout > ours.timeout):
			t.Errorf("a timeout of %v", timeout)
		case got != 0 && int64(binary.BigEndian.Uint32(answer[offsetTimeout:])) != timeout.Milliseconds():
			t.Errorf("the library does not see %v", timeout)
		}
		if len(answer) > 4+answerMax {
			t.Errorf("%d bytes for the library", len(answer))
		}
	})
}
