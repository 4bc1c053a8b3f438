package chaos

import (
	"context"
	"fmt"
	"io"
	"net"
	"os"
	"time"
)

// ofOtherClients are disturbances by other programs.
func ofOtherClients() []fault {
	short, long := 500*time.Millisecond, 5*time.Second
	return []fault{
		{name: "stats sockets held", weight: 2, least: short, most: long, do: holdSockets},
		{name: "idle connections", weight: 2, least: short, most: long, do: idle},
		{name: "log not read", weight: 2, least: short, most: long, do: stall},
		{name: "state not writable", weight: 2, least: short, most: long, do: obstruct},
	}
}

// holdSockets takes some of the ten connections of each of HAProxy's stats sockets,
// shared if its workers are threads.
func holdSockets(ctx context.Context, w *world, s step) error {
	var held []net.Conn
	defer func() {
		for _, conn := range held {
			conn.Close()
		}
	}()
	for _, socket := range w.config.Sockets() {
		for range 1 + s.rand().IntN(2) {
			conn, err := net.DialTimeout("unix", socket, 5*time.Second)
			if err != nil {
				continue // of a worker that has just ended
			}
			held = append(held, conn)
			_, _ = io.WriteString(conn, "show st") // never finished
		}
	}
	s.keep(ctx)
	return nil
}

// idle holds connections to the HTTP port that send nothing, or no complete request.
func idle(ctx context.Context, w *world, s step) error {
	var held []net.Conn
	defer func() {
		for _, conn := range held {
			conn.Close()
		}
	}()
	for range 50 + s.rand().IntN(150) {
		conn, err := net.DialTimeout("tcp", w.http, 5*time.Second)
		if err != nil {
			continue // haproxy-zk was killed
		}
		held = append(held, conn)
		if len(held)%2 == 0 {
			_, _ = io.WriteString(conn, "GET /metr")
		}
	}
	s.keep(ctx)
	return nil
}

// stall leaves the log unread.
func stall(ctx context.Context, w *world, s step) error {
	defer w.transcript.stall()()
	s.keep(ctx)
	return nil
}

// obstruct puts a file in the place of the state directory: not even root can write to
// it.
func obstruct(ctx context.Context, w *world, s step) error {
	aside := w.stateDir() + ".aside"
	if err := os.Rename(w.stateDir(), aside); err != nil {
		return err
	}
	if err := os.WriteFile(w.stateDir(), nil, 0o600); err != nil {
		return err
	}
	s.keep(ctx)
	if err := os.Remove(w.stateDir()); err != nil {
		return fmt.Errorf("it was removed: %w", err)
	}
	return os.Rename(aside, w.stateDir())
}
