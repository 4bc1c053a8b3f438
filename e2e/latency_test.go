package e2e

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"testing"

	"github.com/haproxy-zk/haproxy-zk/e2e/rig"
)

// asker sends requests over connections of their own and counts them.
type asker struct {
	client http.Client
	url    string
	asked  float64
}

func newAsker(port int) *asker {
	return &asker{
		client: http.Client{Timeout: within, Transport: &http.Transport{DisableKeepAlives: true}},
		url:    fmt.Sprintf("http://127.0.0.1:%d", port),
	}
}

// ask returns nil if an instance has answered.
func (a *asker) ask(path string) error {
	response, err := a.client.Get(a.url + path)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	a.asked++
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("%s: %s", path, response.Status)
	}
	return nil
}

// Every request of a group with a histogram is measured, and none of another one, in the
// format of each HAProxy.
func TestDurationsOfRequestsAreMeasured(t *testing.T) {
	onEveryHAProxy(t, func(t *testing.T, h rig.HAProxy) {
		s := newStage(t, h, nil)
		listener, redis := s.port(), s.port()
		text, err := json.Marshal(map[string]any{s.proxy(): map[string]any{
			"zk.addr": s.config.ZKAddr, "zk.path": s.config.ZKPath, "exec": h.Path, "listener_port": listener, "admin_port": s.port(),
			"latency_histogram": true,
			"groups": map[string]any{
				front:   map[string]any{"default_backend": true},
				base:    map[string]any{"acls": []string{"path_beg /unmeasured"}, "latency_histogram": false},
				"redis": map[string]any{"mode": "tcp", "listener_port": redis},
			},
		}})
		if err != nil {
			t.Fatal(err)
		}
		file := filepath.Join(s.home, "config.json")
		if err := os.WriteFile(file, text, 0o600); err != nil {
			t.Fatal(err)
		}
		s.connect()
		s.launch(file)
		s.ready()
		overHTTP, overTCP := newAsker(listener), newAsker(redis)
		if err := s.counts(0, "haproxyzk_request_duration_seconds_count"); err != nil {
			t.Error(err)
		}
		if err := overHTTP.ask("/"); err == nil {
			t.Error("a request was answered without an instance")
		}
		for _, group := range []string{front, base, "redis"} {
			s.app(group)
			s.eventually(group, func() error { return s.counts(1, "haproxyzk_instances_up", fmt.Sprintf("group=%q", group)) })
		}
		for _, err := range []error{overHTTP.ask("/"), overHTTP.ask("/slow?ms=400"), overTCP.ask("/"), newAsker(listener).ask("/unmeasured")} {
			if err != nil {
				t.Error(err)
			}
		}
		durations := func(group string) []string {
			return []string{fmt.Sprintf("group=%q", group), fmt.Sprintf("proxy=%q", s.proxy())}
		}
		s.eventually("all requests are measured", func() error {
			return errors.Join(
				s.counts(overHTTP.asked, "haproxyzk_request_duration_seconds_count", durations(front)...),
				s.counts(overTCP.asked, "haproxyzk_request_duration_seconds_count", durations("redis")...),
			)
		})
		if err := errors.Join(
			s.counts(overHTTP.asked-1, "haproxyzk_request_duration_seconds_bucket", append(durations(front), `le="0.25"`)...),
			s.counts(overHTTP.asked, "haproxyzk_request_duration_seconds_bucket", append(durations(front), `le="10"`)...),
			s.counts(0, "haproxyzk_request_duration_seconds_count", durations(base)...),
			s.counts(0, "haproxyzk_request_log_lines_ignored_total"),
		); err != nil {
			t.Error(err)
		}
		if sum := s.metric("haproxyzk_request_duration_seconds_sum", durations(front)...); sum < 0.4 || sum > within.Seconds() {
			t.Errorf("all took %v s", sum)
		}
		s.stopped()
	})
}
