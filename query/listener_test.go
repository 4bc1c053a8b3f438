package query

import (
	"errors"
	"net"
	"testing"
	"testing/synctest"
)

func TestLimitedListener(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPipes()
		l := limit(p, 2)
		accepted := make(chan net.Conn)
		failed := make(chan error, 1)
		go func() {
			for {
				c, err := l.Accept()
				if err != nil {
					failed <- err
					return
				}
				accepted <- c
			}
		}()
		p.dial()
		first := <-accepted
		p.dial()
		second := <-accepted

		go p.dial()
		synctest.Wait()
		select {
		case <-accepted:
			t.Fatal("a third connection was accepted")
		default:
		}

		if err := first.Close(); err != nil {
			t.Error(err)
		}
		third := <-accepted
		// Closing the first again gives back no second place.
		_ = first.Close()
		go func() {
			client, server := net.Pipe()
			defer client.Close()
			select {
			case p.conns <- server:
				t.Error("a fourth connection was accepted")
			case <-p.closed:
			}
		}()
		synctest.Wait()

		if err := l.Close(); err != nil {
			t.Error(err)
		}
		if err := l.Close(); err != nil {
			t.Error(err)
		}
		if err := <-failed; !errors.Is(err, net.ErrClosed) {
			t.Errorf("Accept returned %v", err)
		}
		second.Close()
		third.Close()
	})
}

func TestLimitedConnClosesWriteOnly(t *testing.T) {
	inner, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	l := limit(inner, 1)
	defer l.Close()
	client, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	server, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer server.Close()
	if err := server.(interface{ CloseWrite() error }).CloseWrite(); err != nil {
		t.Fatal(err)
	}
	if _, err := client.Write([]byte("x")); err != nil {
		t.Error(err)
	}
	if n, err := server.Read(make([]byte, 1)); n != 1 || err != nil {
		t.Errorf("read %d bytes, %v", n, err)
	}
	if n, _ := client.Read(make([]byte, 1)); n != 0 {
		t.Error("the client was sent something")
	}
}
