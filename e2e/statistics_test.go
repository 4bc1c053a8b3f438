package e2e

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/haproxy-zk/haproxy-zk/e2e/rig"
)

// failing starts and registers an instance that answers health checks, and everything else
// with 500.
func (s *stage) failing(group string) *rig.App {
	s.t.Helper()
	a := s.app(group)
	a.SetBroken(true)
	return a
}

// requests sends requests to the listener, each on a connection of its own, and adds the
// number of answers to sent, by status.
func (s *stage) requests(n int, sent map[int]int) {
	s.t.Helper()
	client := http.Client{Timeout: within, Transport: &http.Transport{DisableKeepAlives: true}}
	for range n {
		response, err := client.Get("http://" + s.config.Listener() + "/")
		if err != nil {
			s.t.Fatal(err)
		}
		_, _ = io.Copy(io.Discard, response.Body)
		response.Body.Close()
		sent[response.StatusCode]++
	}
}

// counted waits until the metrics say how often each instance has answered.
func (s *stage) counted(when, good, bad string, sent map[int]int) {
	s.t.Helper()
	series := func(name string, want int, labels ...string) error {
		return s.counts(float64(want), name, append(labels, `proxy="ngboss"`)...)
	}
	// If checks fail on a busy machine, HAProxy itself answers.
	failed := sent[http.StatusInternalServerError] + sent[http.StatusServiceUnavailable]
	s.eventually(when, func() error {
		for _, err := range []error{
			series("haproxyzk_instance_http_responses_total", sent[http.StatusOK], `address="`+good+`"`, `code="2xx"`),
			series("haproxyzk_instance_http_responses_total", 0, `address="`+good+`"`, `code="5xx"`),
			series("haproxyzk_instance_http_responses_total", sent[http.StatusInternalServerError], `address="`+bad+`"`, `code="5xx"`),
			series("haproxyzk_instance_sessions_total", sent[http.StatusInternalServerError], `address="`+bad+`"`),
			series("haproxyzk_group_http_responses_total", failed, `group="`+front+`"`, `code="5xx"`),
			series("haproxyzk_group_requests_total", sent[http.StatusOK]+failed, `group="`+front+`"`),
		} {
			if err != nil {
				return err
			}
		}
		return nil
	})
}

// Which instance returns errors, over all workers, a reload and a worker's death; and
// which is registered although its check fails, by a metric and by the API.
func TestMetricsOfInstances(t *testing.T) {
	onEveryHAProxy(t, func(t *testing.T, h rig.HAProxy) {
		s := begin(t, h, func(c *rig.SeedConfig) {
			c.Groups[0].ServerTemplate = "${group_name} 1-${max_server} 0.0.0.0:0 check inter 1s rise 1 fall 2 disabled"
		})
		good, bad := s.app(front), s.failing(front).Addr()
		up := func(want float64, addr string) error {
			return s.counts(want, "haproxyzk_instance_up", `address="`+addr+`"`)
		}
		for _, addr := range []string{good.Addr(), bad} {
			s.eventually("both are up", func() error { return up(1, addr) })
		}
		sent := make(map[int]int)
		s.requests(20, sent)
		s.counted("over the workers", good.Addr(), bad, sent)
		if sent[http.StatusOK] == 0 || sent[http.StatusInternalServerError] == 0 {
			t.Fatalf("one instance got no request: %v", sent)
		}

		s.requests(20, sent) // nobody reads before the reload
		before := s.pids()
		s.signal(syscall.SIGUSR2)
		s.renewed(before)
		s.requests(20, sent)
		s.counted("over a reload", good.Addr(), bad, sent)

		before = s.pids()
		if err := syscall.Kill(before[0], syscall.SIGKILL); err != nil {
			t.Fatal(err)
		}
		s.replaced(before)
		s.requests(20, sent)
		s.counted("over a worker's death", good.Addr(), bad, sent)

		good.SetHealthy(false)
		s.eventually("the check fails", func() error { return up(0, good.Addr()) })
		if err := up(1, bad); err != nil {
			t.Error(err)
		}
		if _, body := s.get("/ngboss/" + front + "?passing"); !strings.Contains(body, bad) || strings.Contains(body, good.Addr()) {
			t.Errorf("passing are %s", body)
		}
		if _, body := s.get("/ngboss/" + front + "?detail"); !strings.Contains(body, `"`+good.Addr()+`","state":"down","set_by":"health check","reason":"L7STS`) || !strings.Contains(body, `"`+bad+`","state":"up","set_by":"registry"`) {
			t.Errorf("details are %s", body)
		}
		s.eventually("its counters remain", func() error {
			return s.counts(float64(sent[http.StatusOK]), "haproxyzk_instance_http_responses_total", `address="`+good.Addr()+`"`, `code="2xx"`)
		})
	})
}

// A worker that does not answer neither fails a scrape nor holds it up.
func TestScrapeBesideHungWorker(t *testing.T) {
	onSomeHAProxy(t, func(t *testing.T, h rig.HAProxy) {
		s := begin(t, h, nil)
		a := s.app(front)
		s.serves(front, a)
		pids := s.pids()
		for _, pid := range pids {
			if err := syscall.Kill(pid, syscall.SIGSTOP); err != nil {
				t.Fatal(err)
			}
		}
		begun := time.Now()
		code, body := s.get("/metrics")
		if took := time.Since(begun); code != http.StatusOK || !strings.Contains(body, "haproxyzk_build_info") {
			t.Errorf("after %v: %d %.200s", took, code, body)
		}
		s.reaches(1, "haproxyzk_statistics_reads_total", `result="error"`)
		s.replaced(pids)
		s.eventually("it is measured again", func() error {
			if got := s.metric("haproxyzk_instance_weight", fmt.Sprintf("address=%q", a.Addr())); got != 1 {
				return fmt.Errorf("weight %v", got)
			}
			return nil
		})
	})
}
