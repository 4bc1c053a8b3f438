package e2e

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path"
	"slices"
	"strconv"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"github.com/go-zookeeper/zk"
	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus/testutil/promlint"

	"github.com/haproxy-zk/haproxy-zk/e2e/rig"
)

// junk is the number of children that are not instances, with names so long that the
// whole list is close to the megabyte that ZooKeeper accepts in a request.
const junk = 10_000

// Names of instances and groups that might be more than a name somewhere. ZooKeeper
// itself rejects control characters.
var (
	hostileInstances = []string{
		"127.0.0.1:80;disable server web/web1", "127.0.0.1:80 weight 0", "127.0.0.1:80\nshutdown", "127.0.0.1:80\r\n", "\x1b[31m127.0.0.1:80",
		"127.0.0.1:80\u2028set", "127.0.0.1:80\u0085", "127.0.0.1:80\u202e", "127.0.0.1%0a:80", "[::1%;disable]:80", "${HOME}:80", `"127.0.0.1":80`,
		"127.0.0.1:80#", "127.0.0.1:80|id", "$(id):80", "localhost:80", "127.0.0.1:99999", strings.Repeat("127.0.0.1:80 ", 100),
	}
	hostileGroups = []string{
		"a\nbackend evil", "evil backend", "..%2f..%2fetc", "{", "web;", "%0a", "${HOME}", "$acl", "%[env(HOME)]", "web\"", "web'", "web\\", "web#", "*",
		"web\u2028evil", "web\u0085evil", "wеb", "\x1b[2J", "10.0.0.1:8080", "or", "Or", "TRUE", "METH_TRACE", strings.Repeat("x", 65), strings.Repeat("evil", 2000), `web",proxy="evil`,
	}
	// Odd names that are served, as documented in docs/configuration.md.
	oddGroups = []string{"True", "metrics", "healthz", "if", "-f", ".hidden", "123", strings.Repeat("x", 64)}
)

// place creates a persistent node, and reports whether ZooKeeper accepts its name.
func (s *stage) place(node string) bool {
	s.t.Helper()
	err := s.registry.Ensure(node)
	if errors.Is(err, zk.ErrBadArguments) || errors.Is(err, zk.ErrInvalidPath) {
		return false
	}
	if err != nil {
		s.t.Fatalf("%.100q: %v", node, err)
	}
	return true
}

// litter creates this many children that are not instances, and removes them at the
// end.
func (s *stage) litter(node string, n int) {
	s.t.Helper()
	transact := func(request func(path string) any) {
		s.t.Helper()
		for from := 0; from < n; from += 500 {
			var requests []any
			for i := from; i < min(n, from+500); i++ {
				requests = append(requests, request(fmt.Sprintf("%s/%05d;disable server %s", node, i, strings.Repeat("x", 65))))
			}
			if _, err := s.registry.Conn().Multi(requests...); err != nil {
				s.t.Fatal(err)
			}
		}
	}
	transact(func(path string) any { return &zk.CreateRequest{Path: path, Acl: zk.WorldACL(zk.PermAll)} })
	s.t.Cleanup(func() { transact(func(path string) any { return &zk.DeleteRequest{Path: path, Version: -1} }) })
}

func (s *stage) setData(node, data string) {
	s.t.Helper()
	if _, err := s.registry.Conn().Set(node, []byte(data), -1); err != nil {
		s.t.Fatalf("%s: %v", node, err)
	}
}

// Whoever can write to ZooKeeper can register instances, and nothing else: no command,
// no line of a configuration or a log, no label, no effect on other groups.
func TestHostileZooKeeper(t *testing.T) {
	onSomeHAProxy(t, func(t *testing.T, h rig.HAProxy) {
		s := begin(t, h, discovering)
		a, web := s.app(front), s.app("web")
		s.serves(front, a)
		s.serves("web", web)
		// The previous generation does not know the group, and may still accept.
		s.reaches(1, "haproxyzk_reloads_total", `cause="groups"`, `result="ok"`)
		s.settled()
		s.eventually("web serves", func() error { return s.answers("/web/x", web) })
		load := s.load(rig.Target{Path: "/", App: front}, rig.Target{Path: "/web/x", App: "web"})

		skipped := 0
		for _, name := range hostileInstances {
			if s.place(path.Join(s.node(front), name)) {
				skipped++
			}
		}
		if skipped < len(hostileInstances)/2 {
			t.Fatalf("ZooKeeper took %d names", skipped)
		}
		s.litter(s.node(front), junk)
		s.place(s.node("web") + "/" + strings.Repeat("127.0.0.1:80;", 900_000/13))
		s.setData(s.node(front)+"/"+a.Addr(), "0.0.0.0:0;disable\x00\x1b[2J\nbackend evil")
		s.setData(s.node("web"), strings.Repeat("\nbackend evil", 30_000))
		b, web2 := s.app(front), s.app("web")
		s.serves(front, a, b)
		s.serves("web", web, web2)
		s.eventually("all are counted", func() error {
			return errors.Join(
				s.counts(float64(skipped+junk), "haproxyzk_instances_skipped", `group="`+front+`"`),
				s.counts(1, "haproxyzk_instances_skipped", `group="web"`))
		})

		for _, name := range hostileGroups {
			s.place(path.Join(path.Dir(s.node(name)), "instances"))
		}
		odd := make(map[string]*rig.App)
		for _, name := range oddGroups {
			odd[name] = s.app(name)
		}
		for name, app := range odd {
			s.serves(name, app)
			s.eventually(name, func() error { return s.answers("/"+name+"/x", app) })
		}
		s.reload()
		s.settled()
		c := s.app(front)
		s.serves(front, a, b, c)
		s.eventually("all are used", func() error { return used(load, []*rig.App{a, b, c, web, web2}) })
		s.lost(load)

		groups := append([]string{front, "web"}, oddGroups...)
		s.rendersOnly(groups...)
		s.labelsOnly(groups...)
		s.cleanLog()
		if code, body := s.get("/"); code != http.StatusOK || strings.Contains(body, "evil") || !json.Valid([]byte(body)) {
			t.Errorf("%d %s", code, body)
		}
		if state, err := os.ReadFile(s.stateFile()); err != nil || strings.Contains(string(state), "evil") {
			t.Errorf("the state: %v %.2000s", err, state)
		}
		s.stopped()
	})
}

// A list longer than an answer may be, sixteen megabytes, only affects its group:
// others change, over the same connection, and its known instances still serve.
func TestTooLongListAffectsOnlyItsGroup(t *testing.T) {
	someInTurn(t, func(t *testing.T, h rig.HAProxy) {
		z := ownZooKeeper(t, rig.ZooKeeperOptions{Heap: "512m"})
		s := begin(t, h, func(c *rig.SeedConfig) { c.ZKAddr = z.Addr() })
		a, b := s.app(front), s.app(base)
		s.serves(front, a)
		s.serves(base, b)
		load := s.load(through()...)
		var long []string
		for i := range 20 {
			long = append(long, fmt.Sprintf("%s/%d%s", s.node(base), i, strings.Repeat("x", 900_000)))
		}
		for _, node := range long {
			s.place(node)
		}
		s.says("cannot read path")
		for range 3 {
			c := s.app(front)
			s.promptly(front, a, c)
			if err := c.Unregister(); err != nil {
				t.Fatal(err)
			}
			s.promptly(front, a)
		}
		c := s.app(base)
		s.serves(base, b)
		if n := s.sessions(); n != "1" || strings.Contains(s.daemon.Output(), "disconnected from ZooKeeper") {
			t.Errorf("it was disconnected, %s sessions", n)
		}
		for _, node := range long {
			if err := s.registry.Conn().Delete(node, -1); err != nil {
				t.Fatal(err)
			}
		}
		s.serves(base, b, c)
		s.says("path can be read again")
		s.lost(load)
	})
}

// A server that violates ZooKeeper's protocol only costs the connection: all processes
// survive, registered instances serve, and changes are applied once the server behaves
// again.
func TestZooKeeperProtocolViolations(t *testing.T) {
	const (
		exists       = 3   // for the owner of a name
		list         = 12  // getChildren2
		setWatches   = 101 // the first request of a reconnecting client
		numberEvent  = 1<<32 - 1
		childChanged = 4
	)
	short := []byte{0, 0, 0, 4, 0xff, 0xff, 0xff, 0xff}
	ephemeral := make([]byte, 68)                                                              // a Stat
	ephemeral[44] = 1                                                                          // its ephemeralOwner
	event := rig.Answer(numberEvent, []byte{0xff, 0xff, 0xff, 0xff, 0, 0, 0, 101, 0, 0, 0, 0}) // the session is established
	// claim fires a watch on path, and then claims a number of names in each list.
	claim := func(path string, count uint32) func(number uint32, operation int32) []byte {
		fired := binary.BigEndian.AppendUint32([]byte{0, 0, 0, childChanged, 0, 0, 0, 3}, uint32(len(path)))
		fired = rig.Answer(numberEvent, append(fired, path...))
		return func(number uint32, operation int32) []byte {
			switch operation {
			case setWatches:
				return append(rig.Answer(number, nil), fired...)
			case list:
				return rig.Answer(number, binary.BigEndian.AppendUint32(nil, count))
			case exists:
				return rig.Answer(number, ephemeral)
			}
			return rig.Answer(number, nil)
		}
	}
	onEveryHAProxy(t, func(t *testing.T, h rig.HAProxy) {
		s, w := wired(t, h, "10s")
		s.start()
		s.ready()
		a, b, load := s.both()
		workers := s.pids()
		for _, fault := range []struct {
			name string
			lie  func(number uint32, operation int32) []byte
			told string
		}{
			{"a frame shorter than its head", func(uint32, int32) []byte { return short }, "length 4"},
			{"a list of 4 billion names", claim(s.node(front), 0xffffffff), "4294967295 names"},
			{"a list of 2 billion names", claim(s.node(front), 0x7fffffff), "2147483647 names"},
			{"an event of the session", func(uint32, int32) []byte { return event }, "kind -1"},
			{"answers to nothing", func(number uint32, _ int32) []byte { return rig.Answer(number+1000, nil) }, "request 1"},
		} {
			t.Log(fault.name)
			w.Lie(fault.lie)
			s.unreachable(fault.told)
			next := s.app(front)
			if err := a.Unregister(); err != nil {
				t.Fatal(err)
			}
			s.compareNow(front, a) // it stays that way
			forward(t, w)
			s.serves(front, next)
			s.serves(base, b)
			a = next
		}
		s.once("keeping all instances", "length 4")
		s.lost(load)
		s.keepsPIDs(workers)
		s.cleanLog()
		s.stopped()
	})
}

// rendersOnly fails if HAProxy's configuration has more than the template's lines and
// those of these groups.
func (s *stage) rendersOnly(groups ...string) {
	s.t.Helper()
	text, err := os.ReadFile(s.config.ConfFile())
	if err != nil {
		s.t.Fatal(err)
	}
	var backends []string
	for line := range strings.Lines(string(text)) {
		if strings.ContainsFunc(strings.TrimSuffix(line, "\n"), func(r rune) bool { return (r < ' ' || r > '~') && r != '\t' }) {
			s.t.Errorf("line %q", line)
		}
		words := strings.Fields(line)
		if len(words) == 0 || strings.Contains(s.config.Template, line) {
			continue
		}
		switch words[0] {
		case "backend":
			backends = append(backends, words[1])
		case "acl", "use_backend", "default_backend":
			if words[1] == "%[path,lower,concat(/),map_beg("+s.mapFile("path")+")]" {
				s.mapsOnly(groups...)
			} else if !slices.Contains(groups, words[1]) {
				s.t.Errorf("line %q", line)
			}
		case "server":
			if addr := words[2]; !strings.HasPrefix(addr, "127.0.0.1:") {
				s.t.Errorf("line %q", line)
			}
		case "bind":
			if at := words[1][strings.LastIndexByte(words[1], ':')+1:]; at != strconv.Itoa(s.config.ListenerPort) && at != strconv.Itoa(s.config.AdminPort) {
				s.t.Errorf("line %q", line)
			}
		case "stats", "server-template", "mode", "balance", "option", "no", "nbproc", "nbthread":
		default:
			s.t.Errorf("line %q", line)
		}
	}
	slices.Sort(backends)
	if diff := cmp.Diff(slices.Sorted(slices.Values(groups)), backends); diff != "" {
		s.t.Errorf("backends: -want +got\n%s", diff)
	}
}

// mapsOnly fails if the map of paths has entries of other groups.
func (s *stage) mapsOnly(groups ...string) {
	s.t.Helper()
	text, err := os.ReadFile(s.mapFile("path"))
	if err != nil {
		s.t.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		words := strings.Fields(line)
		if len(words) != 2 || !slices.Contains(groups, words[1]) || words[0] != "/"+strings.ToLower(words[1])+"/" {
			s.t.Errorf("entry %q", line)
		}
	}
}

// labelsOnly fails if the metrics are invalid for Prometheus, or have other groups.
func (s *stage) labelsOnly(groups ...string) {
	s.t.Helper()
	code, text := s.get("/metrics")
	problems, err := promlint.New(strings.NewReader(text)).Lint()
	if err != nil || code != http.StatusOK || len(problems) > 0 {
		s.t.Errorf("metrics: %d %v %v", code, err, problems)
	}
	for line := range strings.Lines(text) {
		if _, rest, found := strings.Cut(line, `group="`); found {
			if name, _, _ := strings.Cut(rest, `"`); !slices.Contains(groups, name) {
				s.t.Errorf("line %q", line)
			}
		}
	}
}

// cleanLog fails if a line of the log is not one object of printable JSON.
func (s *stage) cleanLog() {
	s.t.Helper()
	n := 0
	for line := range strings.Lines(s.daemon.Output()) {
		text := bytes.TrimSuffix([]byte(line), []byte("\n"))
		var record struct{ Time, Level, Msg string }
		err := json.Unmarshal(text, &record)
		if err != nil || record.Time == "" || record.Level == "" || record.Msg == "" || !utf8.Valid(text) ||
			bytes.ContainsFunc(text, func(r rune) bool { return !unicode.IsPrint(r) }) {
			s.t.Errorf("line %q: %v", line, err)
		}
		n++
	}
	if n == 0 {
		s.t.Error("there is no log")
	}
}
