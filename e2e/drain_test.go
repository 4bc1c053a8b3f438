package e2e

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/haproxy-zk/haproxy-zk/e2e/rig"
)

// sticky gives every server of the first group a cookie made of its address, and sets
// the group's drain timeout.
func sticky(h rig.HAProxy, timeout string) func(*rig.SeedConfig) {
	return func(c *rig.SeedConfig) {
		c.Template = strings.Replace(patient(h), "defaults\n", "defaults\n    option redispatch\n    cookie SRV insert indirect nocache dynamic\n    dynamic-cookie-key example\n", 1)
		c.Groups[0].Extra = map[string]any{"drain_timeout": timeout}
	}
}

// visitor is a client with a cookie.
type visitor struct {
	s      *stage
	cookie *http.Cookie
}

// visit sends a request on a new connection, and returns the instance that answered.
func (v *visitor) visit() (instance string, err error) {
	request, err := http.NewRequestWithContext(v.s.t.Context(), http.MethodGet, "http://"+v.s.config.Listener()+"/", http.NoBody)
	if err != nil {
		return "", err
	}
	request.Close = true
	if v.cookie != nil {
		request.AddCookie(v.cookie)
	}
	client := http.Client{Timeout: 5 * time.Second}
	response, err := client.Do(request)
	if err != nil {
		return "", err
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return "", fmt.Errorf("status %s", response.Status)
	}
	for _, c := range response.Cookies() {
		if c.Name == "SRV" {
			v.cookie = c
		}
	}
	return response.Header.Get(rig.HeaderInstance), nil
}

// stuck returns a client with an instance's cookie.
func (s *stage) stuck(to *rig.App) *visitor {
	s.t.Helper()
	var v *visitor
	s.eventually("a session with "+to.Addr(), func() error {
		v = &visitor{s: s}
		instance, err := v.visit()
		if err == nil && (instance != to.Addr() || v.cookie == nil) {
			err = fmt.Errorf("%s with cookie %v", instance, v.cookie)
		}
		return err
	})
	return v
}

// stays sends the visitor's requests until the condition holds; the same instance must
// answer all of them.
func (v *visitor) stays(with *rig.App, what string, condition func() error) {
	v.s.t.Helper()
	v.s.eventually(what, func() error {
		if instance, err := v.visit(); err != nil || instance != with.Addr() {
			v.s.t.Fatalf("%s: a sticky request went to %q: %v", what, instance, err)
		}
		return condition()
	})
}

func TestStickySessionsLastUntilDrainTimeout(t *testing.T) {
	onEveryHAProxy(t, func(t *testing.T, h rig.HAProxy) {
		s := begin(t, h, sticky(h, "6s"))
		a, b := s.app(front), s.app(front)
		s.serves(front, a, b)
		load := s.load(rig.Target{Path: "/", App: front})
		v := s.stuck(a)
		began := time.Now()
		if err := a.Unregister(); err != nil {
			t.Fatal(err)
		}
		s.serves(front, b)
		before := a.Served("/")
		visits := 0
		v.stays(a, "its sessions go on", func() error {
			if visits++; time.Since(began) < 3*time.Second {
				return errors.New("not long enough")
			}
			return nil
		})
		// Other requests stop, except for those under way.
		if others := a.Served("/") - before - visits; others > 10 {
			t.Errorf("%d requests without a cookie went to an instance that drains", others)
		}
		if err := s.counts(1, "haproxyzk_instances_draining", `group="web-ngboss"`); err != nil {
			t.Error(err)
		}
		s.eventually("its time is over", func() error {
			instance, err := v.visit()
			if err != nil {
				t.Fatalf("a sticky request was lost: %v", err)
			}
			if instance != b.Addr() {
				return errors.New("its sessions go on")
			}
			return nil
		})
		if took := time.Since(began); took < 6*time.Second || took > 6*time.Second+soon {
			t.Errorf("its sessions ended after %s", took)
		}
		if err := a.Quiet(t.Context(), 100*time.Millisecond); err != nil {
			t.Error(err)
		}
		s.lost(load)
	})
}

func TestDrainingInstanceRegistersAgain(t *testing.T) {
	onEveryHAProxy(t, func(t *testing.T, h rig.HAProxy) {
		s := begin(t, h, sticky(h, "1m"))
		a, b := s.app(front), s.app(front)
		s.serves(front, a, b)
		load := s.load(rig.Target{Path: "/", App: front})
		v := s.stuck(a)
		if err := a.Unregister(); err != nil {
			t.Fatal(err)
		}
		v.stays(a, "it drains", func() error { return s.compare(front, []string{b.Addr()}) })
		s.again(front, a)
		v.stays(a, "it is back", func() error {
			both := []string{a.Addr(), b.Addr()}
			if both[1] < both[0] {
				both[0], both[1] = both[1], both[0]
			}
			return s.compare(front, both)
		})
		s.anew([]*rig.App{a, b}, rig.Target{Path: "/", App: front})
		s.lost(load)
	})
}

// The workers of a reload know about the draining instance.
func TestInstanceDrainsOverAReload(t *testing.T) {
	onEveryHAProxy(t, func(t *testing.T, h rig.HAProxy) {
		s := begin(t, h, sticky(h, "1m"))
		a, b := s.app(front), s.app(front)
		s.serves(front, a, b)
		load := s.load(rig.Target{Path: "/", App: front})
		v := s.stuck(a)
		if err := a.Unregister(); err != nil {
			t.Fatal(err)
		}
		s.serves(front, b)
		old := s.pids()
		s.signal(syscall.SIGUSR2)
		v.stays(a, "the workers are replaced", func() error {
			if now := s.pids(); now[0] == old[0] {
				return errors.New("not yet")
			}
			return s.compare(front, []string{b.Addr()})
		})
		s.lost(load)
	})
}

// Below HAProxy 2.2 this needs server_close, which is the default there.
func TestKeepAliveClientsLeaveARetiredInstance(t *testing.T) {
	onEveryHAProxy(t, func(t *testing.T, h rig.HAProxy) {
		s := begin(t, h, nil)
		a := s.app(front)
		s.serves(front, a)
		load, err := rig.NewLoad(rig.LoadOptions{Addr: s.config.Listener(), Targets: []rig.Target{{Path: "/", App: front}}, KeepAlive: 8, Rate: 100})
		if err != nil {
			t.Fatal(err)
		}
		load.Start(t.Context())
		defer load.Stop()
		s.eventually("it is used", func() error { return used(load, []*rig.App{a}) })
		b := s.app(front)
		s.serves(front, a, b)
		if err := a.Unregister(); err != nil {
			t.Fatal(err)
		}
		s.serves(front, b)
		if err := a.Quiet(t.Context(), time.Second); err != nil {
			t.Fatal(err)
		}
		if _, last := a.Traffic(); time.Since(last) < time.Second {
			t.Errorf("it got a request %s ago", time.Since(last))
		}
		s.eventually("the other one is used", func() error { return used(load, []*rig.App{b}) })
		s.lost(load)
	})
}
