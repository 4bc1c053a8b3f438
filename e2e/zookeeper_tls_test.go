package e2e

import (
	"fmt"
	"net/http"
	"os"
	"strings"
	"testing"

	"github.com/haproxy-zk/haproxy-zk/e2e/rig"
)

// tlsServer is a ZooKeeper that only accepts TLS.
type tlsServer struct {
	*rig.ZooKeeper
	*rig.ZooKeeperTLS
}

func startTLSServer(t *testing.T, secure rig.ZooKeeperTLS) tlsServer {
	t.Helper()
	secure.Authority = newAuthority(t)
	return tlsServer{ownZooKeeper(t, rig.ZooKeeperOptions{TLS: &secure}), &secure}
}

func newAuthority(t *testing.T) *rig.Authority {
	t.Helper()
	a, err := rig.NewAuthority(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func issue(t *testing.T, a *rig.Authority, name string) rig.Certificate {
	t.Helper()
	c, err := a.Issue(name)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// stage returns a stage whose daemon uses TLS with keys, as do its applications.
func (z tlsServer) stage(t *testing.T, h rig.HAProxy, keys map[string]any) *stage {
	t.Helper()
	s := newStage(t, h, func(c *rig.SeedConfig) {
		c.ZKAddr, c.Extra = z.Addr(), map[string]any{"zk.tls": keys}
	})
	s.use(z.Connect(t.Context(), within))
	return s
}

func TestZooKeeperWithTLSOnly(t *testing.T) {
	t.Parallel()
	open := startTLSServer(t, rig.ZooKeeperTLS{})
	asking := startTLSServer(t, rig.ZooKeeperTLS{Asks: true})
	named := startTLSServer(t, rig.ZooKeeperTLS{Hosts: []string{"zk.example"}})
	ours := issue(t, asking.Authority, "ours")
	someInTurn(t, func(t *testing.T, h rig.HAProxy) {
		for name, test := range map[string]struct {
			server tlsServer
			keys   map[string]any
		}{
			"an authority":       {open, map[string]any{"ca": open.Authority.File}},
			"a certificate, too": {asking, map[string]any{"ca": asking.Authority.File, "cert": ours.Cert, "key": ours.Key}},
			"another name":       {named, map[string]any{"ca": named.Authority.File, "server_name": "zk.example"}},
		} {
			t.Run(name, func(t *testing.T) {
				s := test.server.stage(t, h, test.keys)
				if code, found := s.findings(s.written(), "--online"); code != 0 {
					t.Errorf("check --online: exit code %d, %v", code, found)
				}
				s.start()
				s.ready()
				a := s.app(front)
				s.serves(front, a)
				load := s.load(rig.Target{Path: "/", App: front})

				// The next connection uses TLS as well.
				if err := test.server.Kill(); err != nil {
					t.Fatal(err)
				}
				s.away()
				if err := test.server.Start(t.Context()); err != nil {
					t.Fatal(err)
				}
				b := s.app(front)
				s.serves(front, a, b)
				s.lost(load)
				s.stopped()
			})
		}
		t.Run("variables", func(t *testing.T) {
			s := asking.stage(t, h, nil)
			listener := s.port()
			s.run("ZK_ADDR="+asking.Addr(), "ZK_PATH="+s.config.ZKPath, "ZK_GROUPS="+front, "EXEC="+h.Path, "ZK_TLS_CA="+asking.Authority.File,
				"ZK_TLS_CERT="+ours.Cert, "ZK_TLS_KEY="+ours.Key, fmt.Sprintf("LISTENER_PORT=%d", listener), fmt.Sprintf("ADMIN_PORT=%d", s.port()))
			s.ready()
			a := s.app(front)
			s.eventually("it serves", func() error { return s.answersAt(listener, "/"+front, a) })
		})
	})
}

// TestRejectedTLSIsReportedAndRetried: the daemon and check report reason and remedy,
// and the daemon retries: the fix is on the other side, or in a file.
func TestRejectedTLSIsReportedAndRetried(t *testing.T) {
	t.Parallel()
	open := startTLSServer(t, rig.ZooKeeperTLS{})
	asking := startTLSServer(t, rig.ZooKeeperTLS{Asks: true})
	named := startTLSServer(t, rig.ZooKeeperTLS{Hosts: []string{"zk.example"}})
	stranger := newAuthority(t)
	theirs := issue(t, stranger, "theirs")
	h := shared.haproxies[0]
	for name, test := range map[string]struct {
		server tlsServer
		keys   map[string]any
		want   string
	}{
		"another authority":                     {open, map[string]any{"ca": stranger.File}, "set zk.tls.ca to the authority that signed it"},
		"another host":                          {named, map[string]any{"ca": named.Authority.File}, "set zk.tls.server_name to a name in the certificate"},
		"another name":                          {open, map[string]any{"ca": open.Authority.File, "server_name": "zk.example"}, "set zk.tls.server_name to a name in the certificate"},
		"no certificate":                        {asking, map[string]any{"ca": asking.Authority.File}, "check zk.tls.cert and zk.tls.key"},
		"a certificate of an unknown authority": {asking, map[string]any{"ca": asking.Authority.File, "cert": theirs.Cert, "key": theirs.Key}, "check zk.tls.cert and zk.tls.key"},
		"in the clear":                          {open, nil, "connection closed by the server"},
	} {
		t.Run(name, func(t *testing.T) {
			s := test.server.stage(t, h, test.keys)
			if test.keys == nil {
				s.config.Extra = nil
			}
			code, found := s.findings(s.written(), "--online")
			wants(t, found, "error", "ngboss.zk.addr", test.want)
			if code != 2 {
				t.Errorf("check --online: exit code %d", code)
			}
			s.start()
			s.eventually("it says why", func() error {
				code, body := s.get("/readyz")
				if code != http.StatusServiceUnavailable || !strings.Contains(body, test.want) {
					return fmt.Errorf("%d %s, want %q", code, body, test.want)
				}
				return nil
			})
			s.stopped()
		})
	}
	t.Run("TLS with a server that has none", func(t *testing.T) {
		s := newStage(t, h, func(c *rig.SeedConfig) { c.Extra = map[string]any{"zk.tls": map[string]any{"ca": stranger.File}} })
		code, found := s.findings(s.written(), "--online")
		wants(t, found, "error", "ngboss.zk.addr", "check that the server speaks TLS on this port")
		if code != 2 {
			t.Errorf("check --online: exit code %d", code)
		}
	})
}

// TestTLSFiles uses files that are invalid at the start, an error of the configuration,
// that disappear later, an error of the connection, and that are renewed.
func TestTLSFiles(t *testing.T) {
	t.Parallel()
	asking := startTLSServer(t, rig.ZooKeeperTLS{Asks: true})
	ours := issue(t, asking.Authority, "files")
	someInTurn(t, func(t *testing.T, h rig.HAProxy) {
		keys := map[string]any{"ca": asking.Authority.File, "cert": ours.Cert, "key": ours.Cert + ".nowhere"}
		s := asking.stage(t, h, keys)
		file := s.written()
		code, found := s.findings(file)
		wants(t, found, "error", "", "ngboss.zk.tls.key: ")
		if code != 2 {
			t.Errorf("check: exit code %d", code)
		}
		s.launch(file)
		s.exits(2)
		if !strings.Contains(s.daemon.Output(), "correct the path or the file") {
			t.Errorf("it said:\n%s", s.daemon.Output())
		}

		keys["key"] = ours.Key
		s.start()
		s.ready()
		a := s.app(front)
		s.serves(front, a)
		load := s.load(rig.Target{Path: "/", App: front})
		restart := func(meanwhile func()) {
			if err := asking.Kill(); err != nil {
				t.Fatal(err)
			}
			s.away()
			meanwhile()
			if err := asking.Start(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		restart(func() {
			if err := os.Rename(ours.Key, ours.Key+".aside"); err != nil {
				t.Fatal(err)
			}
		})
		s.eventually("it says which file is gone", func() error {
			if _, body := s.get("/readyz"); !strings.Contains(body, ours.Key) {
				return fmt.Errorf("%s", body)
			}
			return nil
		})
		s.serves(front, a)
		// A renewed pair of the same names is used by the next dial.
		issue(t, asking.Authority, "files")
		b := s.app(front)
		s.serves(front, a, b)
		s.lost(load)
		s.stopped()
	})
}
