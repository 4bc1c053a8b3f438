package hactl

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

// hasLines waits until the log has n lines that contain text.
func (j *journal) hasLines(tb testing.TB, n int, text string) {
	tb.Helper()
	becomes(tb, "lines with "+text, n, func() int { return strings.Count(j.String(), text) })
}

func TestEachInstanceChangeIsLoggedOnce(t *testing.T) {
	t.Parallel()
	b := backendOf("web", 4)
	b.DrainTimeout = 50 * time.Millisecond
	s := newStory(t, b, backendOf("api", 4))
	s.with(func(o *Options) { o.Resync = 10 * time.Millisecond })
	log := s.journal()
	s.set("web", 1)
	s.set("api")
	s.serve(t)
	s.set("web", 1, 2)
	log.hasLines(t, 2, "put into service")
	s.ha.worker(1).do("set server web/web2 state drain")
	log.hasLines(t, 1, "reason=operator")
	s.ha.worker(1).do("set server web/web2 state ready")
	log.hasLines(t, 2, "reason=operator")
	s.set("web", 2)
	log.hasLines(t, 1, "reason=drained")
	s.set("api", 1)
	log.hasLines(t, 1, "group=api")
	s.set("api")
	log.hasLines(t, 2, "group=api instance")
	s.end(t)
	same(t, "changes", []string{
		`level=INFO msg="instance put into service" group=web instance=10.0.0.1:80 server=web1 reason=registered`,
		`level=INFO msg="instance put into service" group=web instance=10.0.0.2:80 server=web2 reason=registered`,
		`level=INFO msg="instance draining" group=web instance=10.0.0.2:80 server=web2 reason=operator`,
		`level=INFO msg="instance put into service" group=web instance=10.0.0.2:80 server=web2 reason=operator`,
		`level=INFO msg="instance draining" group=web instance=10.0.0.1:80 server=web1 reason=deregistered`,
		`level=INFO msg="instance removed from service" group=web instance=10.0.0.1:80 server=web1 reason=drained`,
		`level=INFO msg="instance put into service" group=api instance=10.0.0.1:80 server=api1 reason=registered`,
		`level=INFO msg="instance removed from service" group=api instance=10.0.0.1:80 server=api1 reason=deregistered`,
	}, log.lines("instance="))
}

func TestBurstOfChangesIsLoggedAsSum(t *testing.T) {
	t.Parallel()
	s := newStory(t, backendOf("web", 50))
	log := s.journal()
	var all []int
	for n := range 45 {
		all = append(all, n+1)
	}
	s.set("web", all...)
	s.serve(t)
	s.set("web", all[:40]...)
	log.hasLines(t, 1, "more instances changed")
	s.end(t)
	same(t, "one by one", changesLogged, strings.Count(log.String(), "reason="))
	same(t, "as a sum", []string{fmt.Sprintf(`level=INFO msg="more instances changed, not logged one by one" put_into_service=%d draining=0 removed=5`, 45-changesLogged)}, log.lines("more instances"))
}

func TestReloadAndTakeoverLogNoChange(t *testing.T) {
	t.Parallel()
	first := newStory(t, backendOf("web", 2))
	log := first.journal()
	first.set("web", 1, 2)
	first.serve(t)
	first.set("web", 1, 2, 3) // a reload adds its server
	log.hasLines(t, 3, "put into service")
	first.end(t)
	same(t, "after the reload", 3, strings.Count(log.String(), "reason="))

	s := newStory(t, backendOf("web", 4))
	s.runs(string(first.ha.launches[1].Config))
	log = s.journal()
	s.set("web", 1, 2)
	s.serve(t)
	log.hasLines(t, 1, "removed")
	s.end(t)
	same(t, "what left meanwhile", []string{`level=INFO msg="instance removed from service" group=web instance=10.0.0.3:80 server=web3 reason=deregistered`}, log.lines("instance="))
}
