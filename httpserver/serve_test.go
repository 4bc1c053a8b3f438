package httpserver

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"testing"
	"testing/synctest"
	"time"
)

// pipes is a listener of connections in memory.
type pipes struct {
	conns chan net.Conn
	done  chan struct{}
}

func newPipes() *pipes { return &pipes{make(chan net.Conn), make(chan struct{})} }

func (p *pipes) Accept() (net.Conn, error) {
	select {
	case conn := <-p.conns:
		return conn, nil
	case <-p.done:
		return nil, net.ErrClosed
	}
}

func (p *pipes) Close() error {
	select {
	case <-p.done:
	default:
		close(p.done)
	}
	return nil
}

func (p *pipes) Addr() net.Addr { return &net.UnixAddr{} }

// ask sends a request and returns the error of its answer.
func (p *pipes) ask() <-chan error {
	answered := make(chan error, 1)
	ours, theirs := net.Pipe()
	p.conns <- theirs
	go func() {
		defer ours.Close()
		_, err := io.WriteString(ours, "GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
		if err == nil {
			var answer []byte
			if answer, err = io.ReadAll(ours); err == nil && len(answer) == 0 {
				err = io.ErrUnexpectedEOF
			}
		}
		answered <- err
	}()
	return answered
}

func TestRunningRequestsFinishWithinGrace(t *testing.T) {
	for _, tt := range []struct {
		what  string
		takes time.Duration
		cut   bool
	}{
		{"a short request", Grace / 2, false},
		{"a long request", 2 * Grace, true},
	} {
		synctest.Test(t, func(t *testing.T) {
			server := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				<-time.After(tt.takes)
				w.WriteHeader(http.StatusNoContent)
			})}
			ctx, cancel := context.WithCancel(t.Context())
			l := newPipes()
			ended := make(chan bool)
			go func() {
				cut, err := Serve(ctx, server, l)
				if err != nil {
					t.Errorf("%s: %v", tt.what, err)
				}
				ended <- cut
			}()
			answered := l.ask()
			synctest.Wait()
			cancel()
			if cut := <-ended; cut != tt.cut {
				t.Errorf("%s: cut %v", tt.what, cut)
			}
			if err := <-answered; (err != nil) != tt.cut {
				t.Errorf("%s: answer %v", tt.what, err)
			}
			if _, err := l.Accept(); !errors.Is(err, net.ErrClosed) {
				t.Errorf("%s: the listener is open: %v", tt.what, err)
			}
			<-time.After(tt.takes) // the handler's
		})
	}
}

func TestBrokenListenerEndsServing(t *testing.T) {
	l := newPipes()
	l.Close()
	cut, err := Serve(t.Context(), &http.Server{Handler: http.NotFoundHandler()}, l)
	if cut || !errors.Is(err, net.ErrClosed) {
		t.Errorf("cut %v, error %v", cut, err)
	}
}
