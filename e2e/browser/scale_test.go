package browser

import (
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
	"github.com/go-zookeeper/zk"

	"github.com/haproxy-zk/haproxy-zk/e2e/rig"
)

func write(file, text string) error { return os.WriteFile(file, []byte(text), 0o600) }

// The page is usable with 1,000 groups of 20 instances: it is there at once, needs little
// memory, and costs next to nothing while nothing changes. They are those of two proxies,
// since one HAProxy would need more open files than many machines allow.
func TestThousandGroups(t *testing.T) {
	const proxies, groups, instances = 2, 500, 20
	s := newStage(t, nil)
	s.binary = shared.plain
	root := strings.TrimSuffix(s.config.ZKPath, "/${group}/instances")
	for p := range proxies {
		base := fmt.Sprintf("%s/%d", root, p)
		config := &rig.SeedConfig{
			Proxy: fmt.Sprintf("proxy-%d", p), ZKAddr: s.config.ZKAddr, ZKPath: base + "/${group}", HAProxy: s.config.HAProxy, Workers: s.config.Workers,
			Groups: []rig.Group{{Name: "*", MaxServer: instances, ServerTemplate: "${group_name} 1-${max_server} ${ip_port} disabled"}},
		}
		if p == 0 {
			s.config = config
		} else {
			s.beside = append(s.beside, config)
		}
		if err := s.registry.Ensure(base); err != nil {
			t.Fatal(err)
		}
		for g := range groups {
			node := fmt.Sprintf("%s/app-%d%03d", base, p, g)
			requests := []any{&zk.CreateRequest{Path: node, Acl: zk.WorldACL(zk.PermAll)}}
			for i := range instances {
				requests = append(requests, &zk.CreateRequest{
					Path: fmt.Sprintf("%s/127.%d.%d.%d:80", node, 1+2*p+g>>8, g&0xff, 1+i), Acl: zk.WorldACL(zk.PermAll), Flags: zk.FlagEphemeral,
				})
			}
			if _, err := s.registry.Conn().Multi(requests...); err != nil {
				t.Fatal(err)
			}
		}
	}
	s.start()
	s.eventually("all groups", func() error {
		_, page := rig.Get("http://" + s.http + "/ui")
		return contains(page, "1–50 of 1000 groups", "Serving")
	})
	_, before, err := rig.Used(s.daemon.PID())
	if err != nil {
		t.Fatal(err)
	}
	b := s.open("/ui", look{})
	b.live()
	b.becomes("painted", `performance.getEntriesByName('first-contentful-paint').length`)
	paint := run(b, chromedp.Evaluate[float64](`performance.getEntriesByName('first-contentful-paint')[0].startTime`))
	heap := run(b, chromedp.Evaluate[float64](`performance.memory.usedJSHeapSize`)) / (1 << 20)
	nodes := run(b, chromedp.Evaluate[float64](`document.getElementsByTagName('*').length`))
	html := run(b, chromedp.Evaluate[float64](`performance.getEntriesByType('navigation')[0].encodedBodySize`)) / (1 << 10)
	t.Logf("first paint after %.0f ms; %.0f kB of HTML, %.0f elements, %.1f MB of the browser's heap", paint, html, nodes, heap)
	// A machine that runs other tests too is busy.
	if paint > 10_000 || heap > 30 || nodes > 3000 || html > 150 {
		t.Error("that is too much")
	}
	b.picture("thousand")

	b.click(`document.getElementById('later')`)
	b.becomes("the next page", `document.querySelector('#pager .range').innerText.startsWith('51–100')`)
	b.click(`document.querySelector('#groups .fold')`)
	b.becomes("unfolded", `document.querySelectorAll('#groups > .instance').length === 20`)
	b.live()
	const quiet, idle = 5 * time.Second, 20 * time.Second
	// What the reader has asked for arrives first.
	s.eventually("the stream is quiet", func() error {
		before := b.bytes()
		<-time.After(quiet)
		if n := b.bytes() - before; n > 100*quiet.Seconds() {
			return fmt.Errorf("%.0f bytes in %v, as in %s", n, quiet, b.message)
		}
		return nil
	})
	b.becomes("rates", `document.querySelector('#groups .group').children[6].innerText === '0'`)
	cpu, _, err := rig.Used(s.daemon.PID())
	if err != nil {
		t.Fatal(err)
	}
	received := b.bytes()
	<-time.After(idle)
	each := (b.bytes() - received) / idle.Seconds()
	used, after, err := rig.Used(s.daemon.PID())
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("idle, the stream has %.0f B/s, haproxy-zk uses %.0f %% of a processor and %d MB more than before", each, 100*(used-cpu).Seconds()/idle.Seconds(), (after-before)>>20)
	if each > 200 {
		t.Errorf("the stream has %.0f B/s although nothing changes", each)
	}
}
