package e2e

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/haproxy-zk/haproxy-zk/e2e/rig"
)

// Discovered groups get the requests whose path begins with their name as a whole
// element, in any case; all others go to the default backend.
func TestDiscoveredGroupsAreRoutedByPath(t *testing.T) {
	onEveryHAProxy(t, func(t *testing.T, h rig.HAProxy) {
		s := begin(t, h, discovering)
		groups := []string{front, "web", "web-admin", "a.b", "Cap", "x_y"}
		for _, group := range groups {
			s.app(group)
		}
		for _, group := range groups[1:] {
			s.eventually(group, func() error { return s.routes(request{target: "/" + group}, group) })
		}
		s.settled()
		long := strings.Repeat("/n", 2000)
		for _, test := range []struct{ target, want string }{
			{"/", front},
			{"/web", "web"},
			{"/web/", "web"},
			{"/web/x", "web"},
			{"/WEB", "web"},
			{"/WeB/x", "web"},
			{"/web?x=1", "web"},
			{"/web/?x=/web-admin/", "web"},
			{"/web" + long, "web"},
			{"/web-admin", "web-admin"},
			{"/web-admin/x", "web-admin"},
			{"/WEB-ADMIN/x", "web-admin"},
			{"/web-adminx", front},
			{"/webx", front},
			{"/we", front},
			{"/x/web/", front},
			{"//web", front},
			{"//web/x", front},
			{"/%77eb/x", front},
			{"/web%2Fx", front},
			{"/web;v=1", front},
			{"/web/../web-admin/", "web"},
			{"/a.b/x", "a.b"},
			{"/aXb/x", front},
			{"/Cap/x", "Cap"},
			{"/cap", "Cap"},
			{"/X_Y/", "x_y"},
			{"http://h/web/x", "web"},
			{"http://h/webx", front},
			{long, front},
		} {
			if err := s.routes(request{target: test.target}, test.want); err != nil {
				t.Errorf("%.60s: %v", test.target, err)
			}
		}
		s.stopped()
	})
}

// request is a request as it is written, which net/http would normalize.
type request struct {
	target  string
	headers []string // `Name: value`; `Host: h` is added unless there is one
}

// routes returns nil if an instance of the application answers the request.
func (s *stage) routes(r request, app string) error { return s.routesAt(s.config.Listener(), r, app) }

func (s *stage) routesAt(addr string, r request, app string) error {
	response, err := r.send(addr)
	if err != nil {
		return err
	}
	if got := response.Header.Get(rig.HeaderApp); got != app {
		return fmt.Errorf("status %d from %q, want %q", response.StatusCode, got, app)
	}
	return nil
}

// send sends the request over a connection of its own, and reads the whole answer.
func (r request) send(addr string) (*http.Response, error) {
	conn, err := net.DialTimeout("tcp", addr, 5*time.Second)
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	if err := conn.SetDeadline(time.Now().Add(5 * time.Second)); err != nil {
		return nil, err
	}
	headers := append([]string{"Connection: close"}, r.headers...)
	if !strings.Contains("\n"+strings.ToLower(strings.Join(headers, "\n")), "\nhost:") {
		headers = append(headers, "Host: h")
	}
	if _, err := fmt.Fprintf(conn, "GET %s HTTP/1.1\r\n%s\r\n\r\n", r.target, strings.Join(headers, "\r\n")); err != nil {
		return nil, err
	}
	response, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	_, err = io.Copy(io.Discard, response.Body)
	return response, err
}
