package hactl

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/haproxy-zk/haproxy-zk/haproxy"
	"github.com/haproxy-zk/haproxy-zk/registry"
)

// written returns the files as they are now, and how often they were rewritten since the
// last launch.
func (ha *fakeHAProxy) written() (files registry.Launch, times int) {
	ha.mu.Lock()
	defer ha.mu.Unlock()
	files = ha.launches[len(ha.launches)-1].Launch
	if n := len(ha.files); n > 0 {
		files = ha.files[n-1]
	}
	return files, len(ha.files)
}

// startedFromFile returns a worker that somebody starts with the files.
func (s *story) startedFromFile() *fakeWorker {
	files, _ := s.ha.written()
	w := newFakeWorker(1, files.Config)
	w.maps.load(files.Maps)
	return w
}

// inFile returns what inService would in a worker that somebody starts with the files.
func (s *story) inFile(backend string) []int {
	return slices.DeleteFunc(slices.Sorted(slices.Values(s.startedFromFile().serving(backend))), func(n int) bool { return n == 0 })
}

func TestFilesFollowWhatRuns(t *testing.T) {
	onEachCarrier(t, func(t *testing.T, s *story) {
		s.set("web", 1, 2)
		s.set("api", 9)
		s.launch(t)
		s.set("web", 2)
		s.settles(t, 2*filesDelay)
		same(t, "in the file", []int{2}, s.inFile("web"))
		s.set("web", 2, 3)
		s.settles(t, 2*filesDelay)
		same(t, "in the file", []int{2, 3}, s.inFile("web"))
		same(t, "the other group", []int{9}, s.inFile("api"))
		slot, _ := s.table(0).At(netip.MustParseAddrPort("10.0.0.2:80"))
		server := s.desired.groups[0].server(slot)
		s.ha.worker(0).do("set server " + server + " state maint")
		s.resync(t.Context())
		s.settles(t, 2*filesDelay)
		same(t, "an operator's state", "10.0.0.2:80 maint", s.startedFromFile().show(server))
		same(t, "launches", 1, len(s.ha.launches))
	})
}

// No command makes an HAProxy drain them that somebody starts with the file.
func TestFilesLackInstancesThatKeepTheirSessions(t *testing.T) {
	t.Parallel()
	for _, way := range []haproxy.Carry{haproxy.CarrySlots, haproxy.CarryServers} {
		s := carried(t, way)
		s.with(func(o *Options) { o.Backends[0].DrainTimeout = time.Hour })
		s.set("web", 1, 2)
		s.set("api", 9)
		s.launch(t)
		s.set("web", 2)
		s.settles(t, 2*filesDelay)
		slot, _ := s.table(0).At(netip.MustParseAddrPort("10.0.0.1:80"))
		same(t, "runs", "10.0.0.1:80 drain", s.ha.worker(0).show(s.desired.groups[0].server(slot)))
		same(t, "in the file", []int{2}, s.inFile("web"))
	}
}

func TestUnchangedFilesAreNotRendered(t *testing.T) {
	onEachCarrier(t, func(t *testing.T, s *story) {
		s.set("web", 1, 2)
		s.set("api", 9)
		s.launch(t)
		s.settles(t, time.Minute)
		_, before := s.ha.written()
		s.resync(t.Context())
		s.settles(t, time.Hour)
		if _, after := s.ha.written(); after != before {
			t.Errorf("rendered %d times, before %d", after, before)
		}
	})
}

// A burst of changes is one file.
func TestFilesWaitForMoreChanges(t *testing.T) {
	t.Parallel()
	s := carried(t, haproxy.CarryServers)
	s.set("web", 1)
	s.set("api", 9)
	s.launch(t)
	s.settles(t, time.Minute)
	_, before := s.ha.written()
	for n := range 10 {
		s.set("web", 1, 2+n)
		s.step(t.Context())
		s.passes(filesDelay / 20)
	}
	s.settles(t, 2*filesDelay)
	_, after := s.ha.written()
	same(t, "times", 1, after-before)
	same(t, "in the file", []int{1, 11}, s.inFile("web"))
}

func TestFilesLackWhatWaitsForReload(t *testing.T) {
	t.Parallel()
	s := carried(t, haproxy.CarrySlots)
	s.set("web", 1)
	s.set("api", 9)
	s.launch(t)
	s.ha.meet(func() { s.ha.fail = errors.New("no room") })
	s.set("web", 1, 2, 3, 4, 5)
	s.settles(t, time.Minute)
	same(t, "runs", []int{1, 2}, s.inService("web"))
	same(t, "in the file", []int{1, 2}, s.inFile("web"))
	same(t, "slots in the file", 2, len(s.startedFromFile().has("web")))
	s.ha.meet(func() { s.ha.fail = nil })
	s.settles(t, 2*time.Minute)
	same(t, "in the file", []int{1, 2, 3, 4, 5}, s.inFile("web"))
}

// A worker that does not answer may serve anything.
func TestFilesWaitForEveryWorker(t *testing.T) {
	t.Parallel()
	s := carried(t, haproxy.CarryServers)
	s.set("web", 1)
	s.set("api", 9)
	s.launch(t)
	s.settles(t, 2*filesDelay)
	s.ha.worker(1).refuse("state ready", 1000)
	s.set("web", 1, 2)
	s.step(t.Context())
	s.passes(2 * filesDelay)
	s.keepFiles()
	same(t, "in the file", []int{1}, s.inFile("web"))
	s.ha.worker(1).refuse("", 0)
	s.settles(t, time.Minute)
	same(t, "in the file", []int{1, 2}, s.inFile("web"))
}

func TestFilesHaveGroupsThatCameAndLackThoseThatWent(t *testing.T) {
	t.Parallel()
	s := live(t, "a")
	s.launch(t)
	s.listed("a", "b", "c")
	s.settles(t, 2*filesDelay)
	same(t, "routed to in the file", []string{"a", "b", "c"}, s.startedFromFile().routes(routesFile))
	same(t, "in the file", []int{2}, s.inFile("b"))
	s.listed("a", "c")
	s.settles(t, 10*time.Minute)
	same(t, "routed to in the file", []string{"a", "c"}, s.startedFromFile().routes(routesFile))
	if s.startedFromFile().knows("b") {
		t.Error("the file has a deleted group")
	}
	same(t, "launches", 1, len(s.ha.launches))
}

// BenchmarkFiles renders the files of 1,000 groups with 20 instances each, and compares
// what they are rendered from.
func BenchmarkFiles(b *testing.B) {
	for _, way := range []haproxy.Carry{haproxy.CarrySlots, haproxy.CarryServers} {
		var backends []haproxy.Backend
		for i := range 1000 {
			backends = append(backends, backendOf(fmt.Sprintf("web%d", i), 20))
			backends[i].Carry = way
		}
		s := newStory(b, backends...)
		s.with(func(o *Options) { o.Frame.Version = v32 })
		all := manyInstances(20_000)
		for i, g := range backends {
			s.SetGroup(registry.Group{Name: g.Name, Instances: all[20*i : 20*i+20]})
		}
		s.launch(b)
		s.step(b.Context())
		b.Run(string(way)+"/render", func(b *testing.B) {
			for b.Loop() {
				b.SetBytes(int64(len(s.runningFiles().Config)))
			}
		})
		b.Run(string(way)+"/compare", func(b *testing.B) {
			for b.Loop() {
				s.filesSource()
			}
		})
	}
}
