package rig_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"syscall"
	"testing"
	"time"

	"github.com/haproxy-zk/haproxy-zk/e2e/rig"
)

// echo is a server that returns what it receives.
func echo(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer c.Close()
				_, _ = io.Copy(c, c)
			}()
		}
	}()
	return l.Addr().String()
}

func TestWire(t *testing.T) {
	t.Parallel()
	w, err := rig.NewWire(echo(t))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(w.Close)
	dial := func() net.Conn {
		c, err := net.Dial("tcp", w.Addr())
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { c.Close() })
		return c
	}
	say := func(c net.Conn) {
		if _, err := io.WriteString(c, "ping"); err != nil {
			t.Fatal(err)
		}
	}
	// hears waits for an answer for at most within, and returns how long that took.
	hears := func(c net.Conn, within time.Duration) (time.Duration, error) {
		began := time.Now()
		_ = c.SetReadDeadline(began.Add(within))
		_, err := io.ReadFull(c, make([]byte, 4))
		return time.Since(began), err
	}
	expect := func(c net.Conn) {
		t.Helper()
		if _, err := hears(c, 10*time.Second); err != nil {
			t.Fatal(err)
		}
	}
	const moment = 100 * time.Millisecond
	silent := func(c net.Conn) {
		t.Helper()
		if _, err := hears(c, moment); !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("silence gave %v", err)
		}
	}

	first := dial()
	say(first)
	expect(first)

	w.Delay(2 * moment)
	say(first)
	if took, err := hears(first, 10*time.Second); err != nil || took < 2*moment {
		t.Errorf("a delayed answer came after %v, %v", took, err)
	}

	for _, quiet := range []func(){w.Silence, w.Mute} {
		quiet()
		say(first)
		silent(first)
		fresh := dial() // it is accepted
		say(fresh)
		silent(fresh)
		if err := w.Forward(); err != nil {
			t.Fatal(err)
		}
		expect(first)
		expect(fresh)
	}

	w.Cut()
	if _, err := hears(first, 10*time.Second); !errors.Is(err, io.EOF) && !errors.Is(err, syscall.ECONNRESET) {
		t.Errorf("a cut connection gave %v", err)
	}
	second := dial()
	say(second)
	expect(second)

	w.Refuse()
	if c, err := net.Dial("tcp", w.Addr()); err == nil {
		c.Close()
		t.Error("connected to what refuses")
	}
	if err := w.Forward(); err != nil {
		t.Fatal(err)
	}
	third := dial()

	// A handshake, then two requests in pieces.
	frame := func(operation uint32, more int) []byte {
		b := binary.BigEndian.AppendUint32(nil, uint32(8+more))
		b = binary.BigEndian.AppendUint32(b, 1)
		return append(binary.BigEndian.AppendUint32(b, operation), make([]byte, more)...)
	}
	stream := append(frame(12, 36), append(frame(12, 0), frame(101, 5)...)...)
	for _, b := range stream {
		if _, err := third.Write([]byte{b}); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := io.ReadFull(third, make([]byte, len(stream))); err != nil {
		t.Fatal(err)
	}
	for operation, want := range map[int32]int{12: 1, 101: 1, 3: 0} {
		if n := w.Requests(operation); n != want || w.Requests(operation) != 0 {
			t.Errorf("operation %d: %d requests, want %d", operation, n, want)
		}
	}
}

func TestWireClosesSession(t *testing.T) {
	t.Parallel()
	zookeeper, err := rig.StartZooKeeper(t.Context(), rig.ZooKeeperOptions{Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := zookeeper.Close(); err != nil {
			t.Error(err)
		}
	})
	w, err := rig.NewWire(zookeeper.Addr())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(w.Close)
	if err := w.CloseSession(t.Context()); err == nil {
		t.Error("a session was closed although there is none")
	}
	// A client that takes the session back while it is closed gets no answers any more: it
	// gives up the connection after two thirds of the timeout.
	registry, err := rig.ConnectRegistry(t.Context(), w.Addr(), 6*time.Second)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(registry.Close)
	if err := registry.Register("/apps", "127.0.0.1:80"); err != nil {
		t.Fatal(err)
	}
	before := registry.Conn().SessionID()
	if err := w.CloseSession(t.Context()); err != nil {
		t.Fatal(err)
	}
	err = rig.Eventually(t.Context(), 10*time.Second, func() error {
		children, err := registry.Children("/apps")
		if err == nil && (len(children) > 0 || registry.Conn().SessionID() == before) {
			err = fmt.Errorf("children %v, session %x", children, registry.Conn().SessionID())
		}
		return err
	})
	if err != nil {
		t.Error(err)
	}
}

// A lying wire forwards the handshake, and then answers itself until Forward.
func TestWireLies(t *testing.T) {
	t.Parallel()
	w, err := rig.NewWire(echo(t))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(w.Close)
	w.Lie(func(number uint32, operation int32) []byte { return rig.Answer(number, []byte{byte(operation)}) })
	c, err := net.Dial("tcp", w.Addr())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	_ = c.SetDeadline(time.Now().Add(10 * time.Second))
	ask := func(request, want []byte) {
		t.Helper()
		got := make([]byte, len(want))
		if _, err := c.Write(request); err != nil {
			t.Fatal(err)
		}
		if _, err := io.ReadFull(c, got); err != nil || !bytes.Equal(got, want) {
			t.Fatalf("%x, %v; want %x", got, err, want)
		}
	}
	handshake := []byte{0, 0, 0, 8, 1, 2, 3, 4, 5, 6, 7, 8}
	ask(handshake, handshake)
	for number := range byte(2) {
		ask([]byte{0, 0, 0, 8, 0, 0, 0, number, 0, 0, 0, 12}, rig.Answer(uint32(number), []byte{12}))
	}
	if err := w.Forward(); err != nil {
		t.Fatal(err)
	}
	if _, err := c.Read(make([]byte, 1)); err == nil || errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("the connection outlived the lies: %v", err)
	}
}
