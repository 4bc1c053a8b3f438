package browser

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/haproxy-zk/haproxy-zk/e2e/rig"
)

// What an operator asks at night is answered by one look: which instance returns errors,
// which groups are held, whether ZooKeeper is slow, why a reload failed, what changed.
func TestOneLook(t *testing.T) {
	const base = "web-basecentre"
	wire, err := rig.NewWire(shared.zookeeper.Addr())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(wire.Close)
	s := newStage(t, func(c *rig.SeedConfig) {
		c.ZKAddr = wire.Addr()
		c.Groups = append(c.Groups, rig.Group{Name: "web-treasury", ACLs: []string{"path_beg /treasury"}}, rig.Group{Name: "web-iupc", ACLs: []string{"path_beg /iupc"}})
	})
	s.start()
	s.app(front)
	s.app(front)
	broken := s.app(front)
	broken.SetBroken(true)
	bad := broken.Addr()
	for range 3 {
		s.app(base)
	}
	s.app("web-iupc")
	s.app("web-treasury")
	s.must(s.registry.Register(s.node("web-treasury"), "treasury.example:8080"))
	b := s.open("/ui", look{})
	b.live()
	b.becomes("all are up", cell(front, 3)+` === '3' && `+cell(base, 3)+` === '3'`)
	b.click(row(front) + `.querySelector('.fold')`)
	s.load()
	errors := func(element string, n int) string {
		return `parseFloat(` + element + `?.children[` + string(rune('0'+n)) + `].innerText)`
	}
	b.becomes("which instance returns errors", errors(instance(bad), 3)+` > 50 && `+instance(bad)+`.children[3].className === 'number bad'`)
	b.becomes("how many in its group", errors(row(front), 7)+` > 5 && `+cell(front, 1)+`.includes('Errors')`)
	s.must(s.registry.DeleteAtOnce(s.node(base)))
	b.becomes("which group is held", cell(base, 1)+` === '3 held' && `+cell(base, 4)+` === '3' && `+cell(base, 2)+` === '0'`)
	b.becomes("which name is not usable", cell("web-treasury", 1)+` === '1 not usable'`)
	b.picture("night")

	wire.Delay(400 * time.Millisecond)
	b.becomes("that ZooKeeper is slow", `/round trip ([4-9]\d\d ms|[\d.]+ s)/.test(document.querySelector('.zookeeper').innerText)`)
	program := filepath.Join(s.home, "sbin", "haproxy")
	s.must(os.Remove(program))
	s.must(os.WriteFile(program, []byte("#!/bin/sh\n[ \"$1\" = -v ] && exec "+s.config.HAProxy+" -v\necho '[ALERT] no luck' >&2; exit 1\n"), 0o755))
	s.must(s.daemon.Signal(syscall.SIGUSR2))
	b.becomes("that a reload failed, and why", `document.querySelector('.reload .bad')?.innerText.startsWith('Failed') && document.querySelector('.reload').innerText.includes('signal')`)
	b.picture("failed")
	b.becomes("what changed", `((e) => { e.value = 'reload_failed'; e.dispatchEvent(new Event('change', { bubbles: true })); return true; })(document.getElementById('kind'))`)
	b.becomes("only that", `location.search.includes('kind=reload_failed') && [...document.querySelectorAll('#events .event .kind')].map((e) => e.innerText).join() === 'Reload failed'`)
}

// Which worker differs, and how much traffic goes to which instance through two of them.
func TestTwoWorkers(t *testing.T) {
	s := newStage(t, func(c *rig.SeedConfig) {
		i := slices.IndexFunc(shared.haproxies, func(h rig.HAProxy) bool { return h.Nbproc })
		if i < 0 {
			t.Fatal("no HAProxy has worker processes: build/haproxy unpacks 2.2")
		}
		c.HAProxy, c.Workers = shared.haproxies[i].Path, 2
		// A worker that finds an instance down checks it again after an hour.
		c.Groups[0].ServerTemplate = "${group_name} 1-${max_server} 0.0.0.0:0 check inter 1s downinter 1h rise 1 fall 2 disabled"
	})
	// Present at the start, as HAProxy spreads the first checks of free slots over `downinter`.
	good, bad := s.app(front), s.app(front)
	bad.SetBroken(true)
	s.start()
	b := s.open("/ui", look{})
	b.live()
	b.becomes("both are up in both workers", cell(front, 3)+` === '2' && document.querySelector('.workers .number').innerText === '2'`)
	b.click(row(front) + `.querySelector('.fold')`)
	s.load()
	number := func(a *rig.App, n int) string {
		return fmt.Sprintf("parseFloat(%s?.children[%d].innerText)", instance(a.Addr()), n)
	}
	b.becomes("traffic and errors of each", number(good, 2)+` > 1 && `+number(good, 3)+` === 0 && `+number(bad, 2)+` > 1 && `+number(bad, 3)+` === 100`)
	b.picture("traffic-of-two")

	good.SetHealthy(false)
	b.becomes("both workers find it down", instance(good.Addr())+`?.className === 'instance bad' && !`+instance(good.Addr())+`.innerText.includes('workers differ')`)
	good.SetHealthy(true)
	socket := s.config.Sockets()[0]
	server, err := rig.FindServer(socket, front, good.Addr())
	s.must(err)
	if said, err := rig.Stats(socket, "set server "+front+"/"+server.Name+" health up"); err != nil || strings.TrimSpace(said) != "" {
		t.Fatalf("%q %v", said, err)
	}
	b.becomes("that the workers differ", cell(front, 1)+`.includes('1 differs between workers') && `+instance(good.Addr())+`.innerText.includes('workers differ')`)
	b.click(instance(good.Addr()) + `.querySelector('summary')`)
	b.becomes("which one", `[...`+instance(good.Addr())+`.querySelectorAll('.workers tbody tr')].map((r) => r.children[2].innerText).sort().join() === 'Down,Up'`)
	b.picture("differs")
}

// That a group is full, and which instance waits.
func TestFullGroup(t *testing.T) {
	s := newStage(t, func(c *rig.SeedConfig) {
		c.Groups[1] = rig.Group{Name: "large", ZKPath: c.ZKPath, ACLs: []string{"path_beg /large/"}, MaxServer: 10_000, ServerTemplate: "${group_name} 1-${max_server} ${ip_port} disabled"}
	})
	empty, err := s.registry.Fill(s.node("large"), 10_001)
	s.must(err)
	t.Cleanup(func() { s.must(empty()) })
	s.start()
	b := s.open("/ui", look{})
	b.live()
	b.becomes("that it is full, and one waits", cell("large", 1)+`.includes('Full, no server is left') && `+cell("large", 5)+` === '1'`)
	b.click(row("large") + `.querySelector('.fold')`)
	b.becomes("which one, and why", `[...document.querySelectorAll('#groups > .instance')].some((r) => r.querySelector('.chip').innerText === 'Waiting' && r.innerText.includes('no server is left for it'))`)
	b.picture("full")
}
