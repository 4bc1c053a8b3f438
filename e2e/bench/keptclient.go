package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"strconv"
	"sync"
	"time"
)

// keptClients is how many clients send requests at once, each on a connection that it
// keeps.
const keptClients = 16

// keptWindow is what the clients measured in one window.
type keptWindow struct {
	perSecond float64
	latencies []time.Duration
}

// crowd are the clients of one listener. They stay connected between windows.
type crowd []*keptClient

func newCrowd(listener string) crowd {
	var c crowd
	for range keptClients {
		c = append(c, &keptClient{addr: listener})
	}
	return c
}

func (c crowd) close() {
	for _, client := range c {
		client.close()
	}
}

// keep sends requests for one window, without a pause. Any failure is an error.
func (c crowd) keep(ctx context.Context) (keptWindow, error) {
	ctx, cancel := context.WithTimeout(ctx, keptWithin)
	defer cancel()
	var w keptWindow
	var mu sync.Mutex
	var running sync.WaitGroup
	errs := make([]error, len(c))
	began := time.Now()
	for i, client := range c {
		running.Go(func() {
			var latencies []time.Duration
			for ctx.Err() == nil && errs[i] == nil {
				sent := time.Now()
				errs[i] = client.request()
				latencies = append(latencies, time.Since(sent))
			}
			mu.Lock()
			defer mu.Unlock()
			w.latencies = append(w.latencies, latencies...)
		})
	}
	running.Wait()
	w.perSecond = float64(len(w.latencies)) / time.Since(began).Seconds()
	return w, errors.Join(errs...)
}

// keptClient is one client. It costs little, so that HAProxy is what is measured.
type keptClient struct {
	addr   string
	conn   net.Conn
	reader *bufio.Reader
}

// request sends a request and reads the answer, on a new connection if the last answer
// closed the previous one.
func (c *keptClient) request() (err error) {
	if c.conn == nil {
		if c.conn, err = net.DialTimeout("tcp", c.addr, 5*time.Second); err != nil {
			return err
		}
		c.reader = bufio.NewReader(c.conn)
	}
	if err := c.conn.SetDeadline(time.Now().Add(5 * time.Second)); err != nil {
		return err
	}
	if _, err := c.conn.Write([]byte("GET / HTTP/1.1\r\nHost: bench\r\n\r\n")); err != nil {
		return err
	}
	line, err := c.reader.ReadSlice('\n')
	if err != nil {
		return err
	}
	if !bytes.HasPrefix(line, []byte("HTTP/1.1 200 ")) {
		return fmt.Errorf("answer %q", line)
	}
	length, closes := 0, false
	for {
		if line, err = c.reader.ReadSlice('\n'); err != nil {
			return err
		}
		line = bytes.ToLower(bytes.TrimRight(line, "\r\n"))
		if len(line) == 0 {
			break
		}
		if value, found := bytes.CutPrefix(line, []byte("content-length: ")); found {
			if length, err = strconv.Atoi(string(value)); err != nil {
				return err
			}
		}
		closes = closes || bytes.Equal(line, []byte("connection: close"))
	}
	if _, err := c.reader.Discard(length); err != nil {
		return err
	}
	if closes {
		c.close()
	}
	return nil
}

func (c *keptClient) close() {
	if c.conn != nil {
		c.conn.Close()
		c.conn = nil
	}
}
