package daemon

import (
	"errors"
	"net"
	"net/http"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// failing fails a number of times, then accepts.
type failing struct {
	net.Listener
	errs []error
}

func (l *failing) Accept() (net.Conn, error) {
	if len(l.errs) == 0 {
		return l.Listener.Accept()
	}
	err := l.errs[0]
	l.errs = l.errs[1:]
	return nil, &net.OpError{Op: "accept", Net: "tcp", Err: err}
}

func TestServerSurvivesTemporaryAcceptErrors(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	server := &http.Server{Handler: http.NotFoundHandler(), ReadHeaderTimeout: time.Second}
	served := make(chan error, 1)
	go func() {
		served <- server.Serve(retryListener{&failing{l, []error{unix.ENOMEM, unix.ENOBUFS, unix.EMFILE, unix.ECONNABORTED}}})
	}()
	client := &http.Client{Timeout: 10 * time.Second}
	defer client.CloseIdleConnections()
	reply, err := client.Get("http://" + l.Addr().String()) //nolint:noctx // the client has a timeout
	if err != nil {
		t.Fatal(err)
	}
	reply.Body.Close()
	if err := server.Close(); err != nil {
		t.Error(err)
	}
	if err := <-served; !errors.Is(err, http.ErrServerClosed) {
		t.Error(err)
	}
}

func TestBrokenListenerEndsServer(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	server := &http.Server{ReadHeaderTimeout: time.Second}
	if err := server.Serve(retryListener{&failing{l, []error{unix.EBADF}}}); !errors.Is(err, unix.EBADF) {
		t.Error(err)
	}
}
