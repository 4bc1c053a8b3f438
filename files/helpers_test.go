package files

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/haproxy-zk/haproxy-zk/decode"
	"github.com/haproxy-zk/haproxy-zk/registry"
)

// within bounds every wait for something that takes milliseconds.
const within = 20 * time.Second

// place is a directory that is followed.
type place struct {
	t    *testing.T
	dir  string
	of   *Directory
	stop context.CancelFunc
	end  chan error

	mu         sync.Mutex
	groups     map[string]registry.Group
	lists      int
	discovered []string
	events     []registry.EventKind
	logged     strings.Builder
}

// newPlace follows an empty directory, which it creates. change may change the options.
func newPlace(t *testing.T, change func(*Options)) *place {
	t.Helper()
	return newPlaceIn(t, "", change)
}

// newPlaceIn is newPlace below another directory than that for temporary files.
func newPlaceIn(t *testing.T, in string, change func(*Options)) *place {
	t.Helper()
	parent, err := os.MkdirTemp(in, "services-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := os.RemoveAll(parent); err != nil {
			t.Error(err)
		}
	})
	p := &place{t: t, dir: filepath.Join(parent, "services"), groups: make(map[string]registry.Group), end: make(chan error, 1)}
	p.mkdir("")
	o := Options{
		Proxy: "web", Dir: p.dir, Decoder: decoding(decode.IPPort), Discover: func(name string) bool { return !strings.Contains(name, " ") },
		Sink: p, Metrics: NewMetrics(prometheus.NewRegistry()), Logger: slog.New(slog.NewTextHandler(locked{p}, nil)),
		Report: func(e registry.Event) { p.lock(func() { p.events = append(p.events, e.Kind) }) },
	}
	if change != nil {
		change(&o)
	}
	p.of = New(o)
	return p
}

// locked writes to the log of a place.
type locked struct{ p *place }

func (l locked) Write(b []byte) (int, error) {
	l.p.mu.Lock()
	defer l.p.mu.Unlock()
	return l.p.logged.Write(b)
}

func (p *place) lock(do func()) {
	p.mu.Lock()
	defer p.mu.Unlock()
	do()
}

func (p *place) start() {
	p.t.Helper()
	ctx, cancel := context.WithCancel(p.t.Context())
	p.stop = cancel
	go func() { p.end <- p.of.Run(ctx) }()
	p.t.Cleanup(func() {
		cancel()
		select {
		case err := <-p.end:
			if err != nil {
				p.t.Error(err)
			}
		case <-time.After(within):
			p.t.Error("Run does not end")
		}
		if p.t.Failed() {
			p.lock(func() { p.t.Log(p.logged.String()) })
		}
	})
}

// decoding decodes every group by one format.
func decoding(f decode.Format) func(string) decode.Decoder {
	return func(string) decode.Decoder { return decode.New(decode.Options{Format: f}) }
}

// SetGroup implements [Sink].
func (p *place) SetGroup(g registry.Group) {
	p.lock(func() {
		p.groups[g.Name] = g
		p.lists++
	})
}

// SetGroups implements [Sink].
func (p *place) SetGroups(d registry.Discovered) { p.lock(func() { p.discovered = d.Names }) }

func (p *place) path(name string) string { return filepath.Join(p.dir, name) }

func (p *place) must(err error) {
	p.t.Helper()
	if err != nil {
		p.t.Fatal(err)
	}
}

func (p *place) mkdir(name string) {
	p.t.Helper()
	p.must(os.MkdirAll(p.path(name), 0o755))
}

// write creates a file and its directories.
func (p *place) write(name, text string) {
	p.t.Helper()
	p.mkdir(filepath.Dir(name))
	p.must(os.WriteFile(p.path(name), []byte(text), 0o600))
}

func (p *place) remove(name string) {
	p.t.Helper()
	p.must(os.RemoveAll(p.path(name)))
}

func (p *place) eventually(what string, check func() error) {
	p.t.Helper()
	deadline := time.Now().Add(within)
	for {
		err := check()
		if err == nil {
			return
		}
		if time.Now().After(deadline) {
			p.t.Fatalf("%s: %v", what, err)
		}
		<-time.After(time.Millisecond)
	}
}

// expect waits until the last list of a group has exactly these instances.
func (p *place) expect(group string, want ...string) {
	p.t.Helper()
	p.eventually(group, func() error { return p.compare(group, want...) })
}

func (p *place) compare(group string, want ...string) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	g, read := p.groups[group]
	got := []string{}
	for _, i := range g.Instances {
		got = append(got, i.String())
	}
	if !read || !slices.Equal(got, want) {
		return fmt.Errorf("the list has %q, read %t; want %q", got, read, want)
	}
	return nil
}

// finds waits until a group has a finding of a kind with a count, and returns it.
func (p *place) finds(group string, kind registry.FindingKind, count int) (found registry.Finding) {
	p.t.Helper()
	p.eventually("finding", func() error {
		all := p.of.Registrations()
		for _, r := range all {
			for _, f := range r.Findings {
				if r.Group == group && f.Kind == kind && f.Count == count {
					found = f
					return nil
				}
			}
		}
		return fmt.Errorf("none of %d %s in %s: %+v", count, kind, group, all)
	})
	return found
}
