package httpserver

import (
	"context"
	"net"
	"net/http"
	"time"
)

// Grace is how long running requests may continue after the end of [Serve]'s context.
const Grace = 2 * time.Second

// Serve answers on l until ctx is done, then lets running requests finish for [Grace],
// and cuts the rest. It returns an error only when l fails for good before that, and
// whether requests were cut. In both cases l is closed when it returns.
func Serve(ctx context.Context, server *http.Server, l net.Listener) (cut bool, err error) {
	served := make(chan struct{})
	go func() {
		defer close(served)
		err = server.Serve(l)
	}()
	select {
	case <-served:
		_ = server.Close()
		return false, err
	case <-ctx.Done():
	}
	grace, cancel := context.WithTimeout(context.WithoutCancel(ctx), Grace)
	defer cancel()
	if server.Shutdown(grace) != nil {
		cut = true
		_ = server.Close()
	}
	<-served
	return cut, nil
}
