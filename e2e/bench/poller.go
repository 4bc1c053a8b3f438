package main

import (
	"bufio"
	"cmp"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"time"
)

// poller sends requests to a listener over one connection. HAProxy closes it with each
// 503, and the poller reconnects.
type poller struct {
	addr   string
	path   string // empty: /
	conn   net.Conn
	answer *bufio.Reader
}

// pollFor is longer than the 5 s of HAProxy's queue. With threads a request that
// arrives while the last server of a backend is taken out may be queued instead of
// being rejected at once: twice in ten thousand such moments on 2.6.
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

// until polls until so many answers in a row are wanted, and returns when the first of
// them had come.
func (p *poller) until(ctx context.Context, wanted func(answer string) bool, inARow int) (time.Time, error) {
	var first time.Time
	n := 0
	for deadline := time.Now().Add(pollFor); time.Now().Before(deadline) && ctx.Err() == nil; {
		answer, err := p.ask()
		if err != nil {
			return time.Time{}, err
		}
		if !wanted(answer) {
			n = 0
			continue
		}
		if n++; n == 1 {
			first = time.Now()
		}
		if n == inARow {
			return first, nil
		}
	}
	return time.Time{}, fmt.Errorf("the answer did not change within %v", pollFor)
}

// ask returns the body of an answer.
func (p *poller) ask() (string, error) {
	if err := p.conn.SetDeadline(time.Now().Add(pollFor)); err != nil {
		return "", err
	}
	if _, err := io.WriteString(p.conn, "GET "+cmp.Or(p.path, "/")+" HTTP/1.1\r\nHost: bench\r\n\r\n"); err != nil {
		return "", err
	}
	response, err := http.ReadResponse(p.answer, nil)
	if err != nil {
		return "", err
	}
	body, err := io.ReadAll(io.LimitReader(response.Body, 4<<10))
	if err != nil {
		return "", err
	}
	response.Body.Close()
	if response.Close {
		p.close()
		return string(body), p.connect()
	}
	return string(body), nil
}
