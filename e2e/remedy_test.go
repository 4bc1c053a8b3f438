package e2e

import (
	"fmt"
	"net/http"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/haproxy-zk/haproxy-zk/e2e/rig"
)

// These tests apply the remedies of check. For cookies that is
// TestStickySessionsLastUntilDrainTimeout.

func TestDrainTimeoutKeepsWhatOnMarkedDownWouldCut(t *testing.T) {
	onEveryHAProxy(t, func(t *testing.T, h rig.HAProxy) {
		s := begin(t, h, func(c *rig.SeedConfig) {
			c.Workers, c.Template = 1, httpTemplate("    default-server on-marked-down shutdown-sessions\n    option http-server-close\n")
			c.Groups[0].Extra = map[string]any{"drain_timeout": "10s"}
		})
		a, b := s.app(front), s.app(front)
		s.serves(front, a, b)
		load := s.load(rig.Target{Path: "/slow?ms=700", App: front})
		s.eventually("requests run", func() error {
			if a.Served("/slow") == 0 {
				return fmt.Errorf("none went to %s", a.Addr())
			}
			return nil
		})
		if err := a.Unregister(); err != nil {
			t.Fatal(err)
		}
		s.serves(front, b)
		if err := a.Quiet(t.Context(), 2*time.Second); err != nil {
			t.Error(err)
		}
		s.lost(load)
		s.stopped()
	})
}

// A health check with a Host header works as before HAProxy 2.8, which rejects headers
// after the version, and with `http-check send`.
func TestHealthCheckHasAHost(t *testing.T) {
	onEveryHAProxy(t, func(t *testing.T, h rig.HAProxy) {
		const probe = "GET /probe.jsp HTTP/1.1"
		ways := map[string]func(*rig.SeedConfig){
			"behind the version": func(c *rig.SeedConfig) { c.Groups[0].HTTPChk = probe + `\r\nHost:\ www.example.com\r\nX-Share:\ 5%` },
		}
		if h.Major > 2 || h.Minor >= 2 {
			ways["in defaults"] = func(c *rig.SeedConfig) {
				c.Groups[0].HTTPChk, c.Template = probe, httpTemplate("    http-check send hdr Host www.example.com\n")
			}
			ways["in lines"] = func(c *rig.SeedConfig) {
				c.Groups[0].HTTPChk = probe
				c.Groups[0].Extra["lines"] = []string{"http-check send hdr Host www.example.com"}
			}
		}
		for name, way := range ways {
			t.Run(name, func(t *testing.T) {
				s := begin(t, h, func(c *rig.SeedConfig) {
					c.Workers, c.Groups[0].Extra = 1, map[string]any{"wait_check": true}
					way(c)
				})
				a, b := s.unregistered(front), s.unregistered(front)
				a.SetHost("www.example.com")
				b.SetHost("other.example.com")
				for _, app := range []*rig.App{a, b} {
					if err := app.Register(s.registry, s.node(front)); err != nil {
						t.Fatal(err)
					}
				}
				s.eventually("both were checked", func() error {
					if a.Served("/probe.jsp") < 2 || b.Served("/probe.jsp") < 2 {
						return fmt.Errorf("%d and %d checks", a.Served("/probe.jsp"), b.Served("/probe.jsp"))
					}
					return s.inWorkers(front, []string{a.Addr()})
				})
				s.stopped()
			})
		}
	})
}

// keys sends one request for each of n keys and returns the instances that answered.
func (s *stage) keys(n int) map[string]string {
	s.t.Helper()
	client := http.Client{Timeout: 5 * time.Second, Transport: &http.Transport{DisableKeepAlives: true}}
	answered := make(map[string]string)
	for i := range n {
		key := fmt.Sprintf("client-%d", i)
		request, err := http.NewRequestWithContext(s.t.Context(), http.MethodGet, "http://"+s.config.Listener()+"/", http.NoBody)
		if err != nil {
			s.t.Fatal(err)
		}
		request.Header.Set("X-Client", key)
		response, err := client.Do(request)
		if err != nil {
			s.t.Fatal(err)
		}
		response.Body.Close()
		if response.StatusCode != http.StatusOK {
			s.t.Fatalf("%s: %s", key, response.Status)
		}
		answered[key] = response.Header.Get(rig.HeaderInstance)
	}
	return answered
}

func (s *stage) sameKeys(before map[string]string, what string) {
	s.t.Helper()
	moved := 0
	for key, instance := range s.keys(len(before)) {
		if before[key] != instance {
			moved++
		}
	}
	if moved > 0 {
		s.t.Errorf("%s moved %d of %d keys", what, moved, len(before))
	}
}

func TestPeersKeepAStickTableOverReloads(t *testing.T) {
	host, err := os.Hostname()
	if err != nil {
		t.Fatal(err)
	}
	onEveryHAProxy(t, func(t *testing.T, h rig.HAProxy) {
		peers := fmt.Sprintf("peers mates\n    peer %s 127.0.0.1:%d\n", host, freePort(t))
		s := begin(t, h, func(c *rig.SeedConfig) {
			c.Workers, c.Template = 1, strings.Replace(httpTemplate(""), "defaults\n", peers+"defaults\n", 1)
			c.Groups[0].Extra = map[string]any{"lines": []string{"stick-table type string len 32 size 1k expire 10m peers mates", "stick on hdr(X-Client)"}}
		})
		s.serves(front, s.app(front), s.app(front), s.app(front))
		before := s.keys(30)
		for range 3 {
			pids := s.pids()
			s.signal(syscall.SIGUSR2)
			s.renewed(pids)
			s.gone(pids) // the table is transferred by then
			s.sameKeys(before, "a reload")
		}
		s.stopped()
	})
}

func TestHashKeyKeepsKeysOverRestarts(t *testing.T) {
	hashKey := func(h rig.HAProxy) bool { return h.Major >= 3 }
	onHAProxiesThat(t, hashKey, func(t *testing.T, h rig.HAProxy) {
		s := begin(t, h, func(c *rig.SeedConfig) {
			c.Workers, c.Template = 1, httpTemplate("")
			c.Groups[0].Balance = "hdr(X-Client)"
			c.Groups[0].ServerTemplate = "${group_name} 1-${max_server} ${ip_port} check inter 2000 rise 1 fall 2 hash-key addr-port disabled"
			c.Groups[0].Extra = map[string]any{"lines": []string{"hash-type consistent"}}
		})
		gone := s.app(front)
		s.serves(front, gone, s.app(front))
		s.app(front)
		if err := gone.Unregister(); err != nil { // its slot stays free until a restart fills it
			t.Fatal(err)
		}
		s.app(front)
		s.eventually("three instances serve", func() error {
			_, body := s.get("/" + s.proxy() + "/" + front)
			if n := strings.Count(body, "127.0.0.1:"); n != 3 || strings.Contains(body, gone.Addr()) {
				return fmt.Errorf("%s", body)
			}
			return s.current()
		})
		before := s.keys(60)
		s.stopped()
		s.start()
		s.ready()
		s.sameKeys(before, "a restart")
		s.stopped()
	})
}
