package hactl

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/haproxy-zk/haproxy-zk/haproxy"
	"github.com/haproxy-zk/haproxy-zk/registry"
)

// fakeMaps are the maps of a fakeWorker, by file.
type fakeMaps map[string][]string // "0xREFERENCE KEY VALUE"

// load replaces the maps with files.
func (m *fakeMaps) load(files []registry.Map) {
	*m = make(fakeMaps)
	for _, f := range files {
		(*m)[f.Path] = nil
		for line := range strings.Lines(string(f.Text)) {
			m.add(f.Path, strings.TrimSuffix(line, "\n"))
		}
	}
}

func (m *fakeMaps) add(file, entry string) {
	(*m)[file] = append((*m)[file], fmt.Sprintf("0x%x %s", 4096+len(strings.Join((*m)[file], "\n")), entry))
}

func (m *fakeMaps) run(words []string) string {
	file := words[2]
	if _, known := (*m)[file]; !known {
		return "Unknown map identifier. Please use #<id> or <file>."
	}
	switch words[0] {
	case "show":
		return strings.Join((*m)[file], "\n")
	case "add":
		m.add(file, strings.Join(words[3:], " "))
	case "set":
		at := slices.IndexFunc((*m)[file], func(line string) bool { return strings.Fields(line)[1] == words[3] })
		if at < 0 {
			return "entry not found."
		}
		(*m)[file][at] = strings.Fields((*m)[file][at])[0] + " " + strings.Join(words[3:], " ")
	case "del":
		if !strings.HasPrefix(words[3], "#") {
			at := slices.IndexFunc((*m)[file], func(line string) bool { return strings.Fields(line)[1] == words[3] })
			if at < 0 {
				return "Key not found."
			}
			(*m)[file] = slices.Delete((*m)[file], at, at+1)
			return ""
		}
		at := slices.IndexFunc((*m)[file], func(line string) bool { return "#"+strings.Fields(line)[0] == words[3] })
		if at < 0 {
			return "Key not found."
		}
		(*m)[file] = slices.Delete((*m)[file], at, at+1)
	}
	return ""
}

// routed returns a story with the group web in a map, and the map's file.
func routed(t *testing.T) (s *story, file string) {
	t.Helper()
	web := backendOf("web", 2)
	web.Route, web.ACLs = haproxy.RoutePath, haproxy.RoutePath.Conditions("web")
	s = newStory(t, web)
	s.with(func(o *Options) { o.Frame.ConfFile = "/run/web.cfg" })
	s.set("web", 1)
	s.launch(t)
	return s, "/run/web.cfg.path.map"
}

func TestForeignEntryOfMapIsRepaired(t *testing.T) {
	t.Parallel()
	s, file := routed(t)
	first, second := s.ha.worker(0), s.ha.worker(1)
	first.do("add map "+file+" /x/ nowhere", "add map "+file+" /web/ other", "del map "+file+" #0x1000")
	s.opts.Metrics.add(s.opts.Proxy)
	s.repairMaps(t.Context())
	same(t, "drift", 3, s.metric(t, "haproxyzk_map_drift_repaired_total"))
	// What is missing is added before what is foreign is deleted.
	changes := first.changes()
	if repair := changes[len(changes)-1]; len(repair) != 4 || repair[0] != "add map "+file+" /web/ web" || !strings.HasPrefix(repair[1], "del map "+file+" #0x") || repair[3] != "show info" {
		t.Errorf("repaired by %q", repair)
	}
	for _, w := range []*fakeWorker{first, second} {
		if got := w.maps[file]; len(got) != 1 || !strings.HasSuffix(got[0], " /web/ web") {
			t.Errorf("worker %d has %q", w.pid, got)
		}
	}
	asked := len(second.changes())
	if s.repairMaps(t.Context()); len(second.changes()) != asked || s.wanted() != "" {
		t.Errorf("repaired again, or a reload: %q", s.wanted())
	}
}

func TestIrreparableMapAsksForReloadOnceAMinute(t *testing.T) {
	t.Parallel()
	s, file := routed(t)
	w := s.ha.worker(1)
	w.do("add map " + file + " /x/ nowhere")
	w.refuse("del map", 1000)
	if s.repairMaps(t.Context()); s.wanted() != "" {
		t.Errorf("a young generation is replaced: %s", s.wanted())
	}
	s.passes(mapReloadGap + time.Second)
	if s.repairMaps(t.Context()); s.wanted() != CauseMaps {
		t.Errorf("reload wanted: %q", s.wanted())
	}
	s.reloadDue(t.Context())
	same(t, "reloads", []string{"start", "maps"}, s.ha.causes())
	if got := s.ha.worker(1).maps[file]; len(got) != 1 {
		t.Errorf("the next generation has %q", got)
	}
	if s.repairMaps(t.Context()); s.wanted() != "" {
		t.Errorf("another reload: %s", s.wanted())
	}
}

// A hung worker is left to what reads it in full.
func TestHungWorkerIsNotAskedForItsMapsTwice(t *testing.T) {
	t.Parallel()
	s, _ := routed(t)
	s.opts.Timeout = 100 * time.Millisecond
	for _, w := range s.fleet.workers {
		w.client.Timeout = s.opts.Timeout
	}
	w := s.ha.worker(0)
	defer w.stopAnswering(false)()
	s.repairMaps(t.Context())
	s.repairMaps(t.Context())
	if w.hanging() != 1 || !s.fleet.workers[0].stale || s.fleet.workers[1].stale {
		t.Errorf("%d requests hang", w.hanging())
	}
}

// Two configurations may differ in nothing but which groups are in which map.
func TestShapeDependsOnMaps(t *testing.T) {
	t.Parallel()
	shape := func(routes ...haproxy.Route) string {
		var backends []haproxy.Backend
		for i, r := range routes {
			b := backendOf(fmt.Sprintf("web%d", i), 1)
			b.Route = r
			backends = append(backends, b)
		}
		return newStory(t, backends...).desired.rendition().shape()
	}
	if shape(haproxy.RoutePath, haproxy.RouteHost) == shape(haproxy.RouteHost, haproxy.RoutePath) {
		t.Error("the same shape")
	}
}
