package haproxy

import (
	"context"
	"net"
	"path/filepath"
	"runtime"
	"sync"
	"testing"
	"time"
)

// A canceled client sends its request once it has connected: HAProxy 3.0.0 keeps the
// session of a client that disconnects without one.
func TestConnectedClientSendsItsRequest(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "s")
	l, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	var mu sync.Mutex
	var connected, silent int
	var serving sync.WaitGroup
	serving.Go(func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			serving.Go(func() {
				defer conn.Close()
				n, _ := conn.Read(make([]byte, 100))
				mu.Lock()
				defer mu.Unlock()
				connected++
				if n == 0 {
					silent++
				}
			})
		}
	})
	for i := range 500 {
		ctx, cancel := context.WithCancel(t.Context())
		var asking sync.WaitGroup
		asking.Go(func() { _, _ = Client{Path: path, Timeout: time.Minute}.Ask(ctx, "show info") })
		// From before it connects to after it has asked.
		for began := time.Now(); time.Since(began) < time.Duration(i)*time.Microsecond; {
			runtime.Gosched()
		}
		cancel()
		asking.Wait()
	}
	l.Close()
	serving.Wait()
	if connected == 0 || silent > 0 {
		t.Errorf("%d connected, %d of them left without a word", connected, silent)
	}
}
