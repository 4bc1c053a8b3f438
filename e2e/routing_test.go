package e2e

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"os"
	"os/exec"
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

// Groups are found by host, by host and path, by a header and by path, in this order, and
// after the groups with conditions.
func TestGroupsAreRoutedByHostAndHeader(t *testing.T) {
	onEveryHAProxy(t, func(t *testing.T, h rig.HAProxy) {
		route := func(name, route string) rig.Group {
			return rig.Group{Name: name, Extra: map[string]any{"route": route}}
		}
		s := newStage(t, h, func(c *rig.SeedConfig) {
			discovering(c)
			c.Groups = append([]rig.Group{
				{Name: "static", ACLs: []string{"path_beg /static"}},
				route("shop", "host"), route("www.Example.com", "host"),
				route("api.example.com_orders", "host+path"), route("api.example.com", "host+path"),
				route("blue", "header:X-App"),
			}, c.Groups...)
		})
		s.connect()
		for _, group := range []string{front, "static", "shop", "www.Example.com", "api.example.com_orders", "api.example.com", "blue", "web"} {
			s.app(group)
		}
		s.start()
		s.ready()
		s.eventually("web", func() error { return s.routes(request{target: "/web/x"}, "web") })
		for _, test := range []struct {
			target  string
			headers []string
			want    string
		}{
			{"/x", []string{"Host: shop"}, "shop"},
			{"/x", []string{"Host: SHOP.example.com:8080"}, "shop"},
			{"/x", []string{"Host: shop.example.com."}, "shop"},
			{"/x", []string{"Host: shops.example.com"}, front},
			{"/x", []string{"Host: www.shop"}, front},
			{"/x", []string{"Host: [::1]:80"}, front},
			{"/x", []string{"Host: www.example.COM"}, "www.Example.com"},
			{"/x", []string{"Host: www.example.org"}, front},
			{"/orders", []string{"Host: api.example.com"}, "api.example.com_orders"},
			{"/Orders/1?a=/x", []string{"Host: API.example.com:443"}, "api.example.com_orders"},
			{"/ordersx", []string{"Host: api.example.com"}, "api.example.com"},
			{"/web/x", []string{"Host: api.example.com"}, "api.example.com"},
			{"/orders/1", []string{"Host: api.example.org"}, front},
			{"/x", []string{"X-App: blue"}, "blue"},
			{"/x", []string{"X-App: green", "X-App: Blue"}, "blue"},
			{"/x", []string{"X-App: blue, green"}, front},
			{"/x", []string{"X-App: blues"}, front},
			{"/web/x", []string{"X-App: blue"}, "blue"},
			{"/web/x", []string{"X-App: blue", "Host: shop"}, "shop"},
			{"/static/x", []string{"X-App: blue", "Host: shop"}, "static"},
			{"/web/x", []string{"X-App: web"}, "web"},
			{"/blue", nil, front},
			{"/x", nil, front},
		} {
			if err := s.routes(request{test.target, test.headers}, test.want); err != nil {
				t.Errorf("%s %v: %v", test.target, test.headers, err)
			}
		}
		s.stopped()
	})
}

// render shows the maps, and what asks them before any group is discovered.
func TestRenderShowsMaps(t *testing.T) {
	onEveryHAProxy(t, func(t *testing.T, h rig.HAProxy) {
		s := newStage(t, h, func(c *rig.SeedConfig) {
			discovering(c)
			c.Groups = append(c.Groups, rig.Group{Name: "Shop", Extra: map[string]any{"route": "host"}})
		})
		cmd := exec.CommandContext(t.Context(), shared.binary, "render", "--config", s.written())
		cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + s.home}
		text, err := cmd.Output()
		if err != nil {
			t.Fatal(err)
		}
		for _, want := range []string{
			"    use_backend %[path,lower,concat(/),map_beg(" + s.mapFile("path") + ")] if { path,",
			"\n# " + s.mapFile("host") + ":\n#     shop. Shop\n# " + s.mapFile("path") + ":\n",
		} {
			if !strings.Contains(string(text), want) {
				t.Errorf("it does not print %q:\n%s", want, text)
			}
		}
	})
}

// Rules of a template may use the ACL of a discovered group in every frontend, and those
// after $use_backend get the requests that no group gets.
func TestTemplateRulesUseDiscoveredGroups(t *testing.T) {
	onEveryHAProxy(t, func(t *testing.T, h rig.HAProxy) {
		second := freePort(t)
		s := newStage(t, h, func(c *rig.SeedConfig) {
			discovering(c)
			const rules = "$acl\n    http-request deny if web { hdr(x-deny) -m found }\n    http-request deny if web-admin2\n$use_backend\n    use_backend web if { path_beg /later }\n$default_backend\n"
			c.Workers = 1
			c.Template = frameOfTemplate + "defaults\n    mode http\n" + timeouts + "frontend one\n    bind 127.0.0.1:$listener_port\n" + rules +
				fmt.Sprintf("frontend two\n    bind 127.0.0.1:%d\n", second) + rules + "$backend\n"
		})
		s.connect()
		for _, group := range []string{front, "web", "web-admin"} {
			s.app(group)
		}
		s.start()
		s.ready()
		for _, port := range []int{s.config.ListenerPort, second} {
			addr := fmt.Sprintf("127.0.0.1:%d", port)
			s.eventually("web", func() error { return s.routesAt(addr, request{target: "/web/x"}, "web") })
			for target, want := range map[string]string{"/web-admin": "web-admin", "/later/x": "web", "/x": front} {
				if err := s.routesAt(addr, request{target: target}, want); err != nil {
					t.Errorf("%s: %v", target, err)
				}
			}
			for _, denied := range []request{{"/WEB/x", []string{"X-Deny: 1"}}, {target: "/web-admin/x"}} {
				if response, err := denied.send(addr); err != nil || response.StatusCode != http.StatusForbidden {
					t.Errorf("%v: %v, %v", denied, response, err)
				}
			}
		}
		s.stopped()
	})
}

// A template may route discovered groups by rules of its own: there is no map then, and
// nothing to repair.
func TestTemplateRoutesDiscoveredGroupsItself(t *testing.T) {
	onEveryHAProxy(t, func(t *testing.T, h rig.HAProxy) {
		s := newStage(t, h, func(c *rig.SeedConfig) {
			discovering(c)
			c.Template = strings.Replace(c.Template, "$use_backend\n", "    use_backend %[path,field(2,/)] if { path_beg /web }\n", 1)
		})
		s.connect()
		s.app(front)
		s.app("web")
		s.start()
		s.ready()
		s.eventually("web", func() error { return s.routes(request{target: "/web/x"}, "web") })
		if _, err := os.Stat(s.mapFile("path")); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("there is a map: %v", err)
		}
		s.settled()
		// A second resync has found something, so the first one is over.
		for i, state := range []string{"maint", "ready"} {
			for _, socket := range s.socketOfEach() {
				s.tell(socket, "set server web/web1 state "+state)
			}
			err := rig.Eventually(t.Context(), resyncs, func() error {
				if n := strings.Count(s.daemon.Output(), "server state was changed outside haproxy-zk"); n <= i {
					return fmt.Errorf("%d changes are noticed", n)
				}
				return nil
			})
			if err != nil {
				t.Fatal(err)
			}
		}
		if strings.Contains(s.daemon.Output(), "map of HAProxy") {
			t.Error("it repairs a map")
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
