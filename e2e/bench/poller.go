package main

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"time"
)

// poller asks a listener again and again over one connection. HAProxy closes it
// with each 503: then it connects anew.
type poller struct {
	addr   string
	conn   net.Conn
	answer *bufio.Reader
}

// pollFor is longer than the 5 s of HAProxy's queue. With threads a request that
// comes while the last server of a backend is taken out may wait there, instead
// of being refused at once: twice in ten thousand such moments on 2.6.
const pollFor = 10 * time.Second

func dialPoller(addr string) (*poller, error) {
	p := &poller{addr: addr}
	return p, p.connect()
}

func (p *poller) connect() error {
	conn, err := net.DialTimeout("tcp", p.addr, time.Second)
	if err != nil {
		return err
	}
	p.conn, p.answer = conn, bufio.NewReader(conn)
	return nil
}

func (p *poller) close() { p.conn.Close() }

// until polls until an answer's status is wanted, and returns when it had come.
func (p *poller) until(ctx context.Context, wanted func(status int) bool) (time.Time, error) {
	for deadline := time.Now().Add(pollFor); time.Now().Before(deadline) && ctx.Err() == nil; {
		status, err := p.ask()
		if err != nil {
			return time.Time{}, err
		}
		if wanted(status) {
			return time.Now(), nil
		}
	}
	return time.Time{}, fmt.Errorf("the answer did not change within %v", pollFor)
}

func (p *poller) ask() (status int, err error) {
	if err := p.conn.SetDeadline(time.Now().Add(pollFor)); err != nil {
		return 0, err
	}
	if _, err := io.WriteString(p.conn, "GET / HTTP/1.1\r\nHost: bench\r\n\r\n"); err != nil {
		return 0, err
	}
	response, err := http.ReadResponse(p.answer, nil)
	if err != nil {
		return 0, err
	}
	if _, err := io.Copy(io.Discard, response.Body); err != nil {
		return 0, err
	}
	response.Body.Close()
	if response.Close {
		p.close()
		return response.StatusCode, p.connect()
	}
	return response.StatusCode, nil
}
