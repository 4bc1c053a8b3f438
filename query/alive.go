package query

import (
	"fmt"
	"net/http"
	"net/url"
)

// Answers requests /readyz within the process and returns nil if there is an answer with
// any status: the packages it asks are not stuck. It needs no file descriptor, and blocks
// as long as they do. Any goroutine may call it.
func (s *Server) Answers() error {
	w := discardedResponse{header: make(http.Header)}
	p := port{Server: s, detail: true}
	p.ServeHTTP(&w, &http.Request{Method: http.MethodGet, URL: &url.URL{Path: "/readyz"}})
	if w.written == 0 {
		return fmt.Errorf("/readyz has no answer: status %d", w.status)
	}
	return nil
}

// discardedResponse is a response that is discarded.
type discardedResponse struct {
	header          http.Header
	status, written int
}

func (u *discardedResponse) Header() http.Header { return u.header }

func (u *discardedResponse) WriteHeader(status int) { u.status = status }

func (u *discardedResponse) Write(b []byte) (int, error) {
	u.written += len(b)
	return len(b), nil
}
