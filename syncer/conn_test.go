package syncer

import (
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

// answerBytes is a server's answer to a handshake.
func answerBytes(session int64, timeout time.Duration) []byte {
	b := binary.BigEndian.AppendUint32(nil, answerMin+1)
	b = binary.BigEndian.AppendUint32(b, 0)
	b = binary.BigEndian.AppendUint32(b, uint32(timeout.Milliseconds()))
	b = binary.BigEndian.AppendUint64(b, uint64(session))
	b = binary.BigEndian.AppendUint32(b, passwordLength)
	return append(b, make([]byte, passwordLength+1)...)
}

// testConn dials one end of a pipe and returns both.
func testConn(t *testing.T) (c *conn, far net.Conn, d *testDialer) {
	t.Helper()
	d = newTestDialer(t, 1)
	d.heard = func() {}
	d.cut = func() {}
	c, far = connWith(t, d)
	return c, far, d
}

// connWith dials one end of another pipe and returns both.
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

func TestHandshakeWithAStranger(t *testing.T) {
	password := answerBytes(7, time.Second)
	binary.BigEndian.PutUint32(password[offsetPassword:], 1<<30)
	for name, said := range map[string][]byte{
		"a web server":         []byte("HTTP/1.1 400 Bad Request\r\n" + strings.Repeat("x", 500)),
		"zeros":                make([]byte, 500),
		"a longer password":    password,
		"no timeout":           answerBytes(7, 0),
		"a timeout before now": answerBytes(7, -time.Second),
	} {
		t.Run(name, func(t *testing.T) {
			c, far, _ := testConn(t)
			go func() { _, _ = far.Write(said) }()
			if err := authenticate(c); !errors.Is(err, errStranger) {
				t.Error(err)
			}
		})
	}
}

func TestHandshakeCut(t *testing.T) {
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

		// Later than the handshake's deadline.
		go func() {
			<-time.After(5 * time.Second) // the bubble's clock
			_, _ = far.Write(answerOf(1, 0, 0))
		}()
		if _, err := io.ReadFull(c, make([]byte, 20)); err != nil {
			t.Fatal(err)
		}
		if heard != 3 { // its length, and the rest of its head
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

func TestNothingIsReadBeforeTheWatches(t *testing.T) {
	setWatches := binary.BigEndian.AppendUint32(make([]byte, offsetOperation), opSetWatches)
	other := make([]byte, 16)
	connect := func(t *testing.T) (c *conn, got chan time.Time) {
		c, far, _ := testConn(t)
		go func() {
			_, _ = far.Write(answerBytes(7, time.Second))
			_, _ = far.Write(answerOf(1, 0, 0))
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
			<-time.After(rearming / 2) // the bubble's clock
			_, _ = c.Write(setWatches)
			if waited := (<-got).Sub(before); waited != rearming/2 {
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
			if waited := (<-got).Sub(before); waited != rearming {
				t.Errorf("read after %v", waited)
			}
		})
	})
}
