package intake

import (
	"log/slog"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/haproxy-zk/haproxy-zk/registry"
)

// logAgain is how soon a finding that has recurred is logged again.
const logAgain = 10 * time.Minute

// Note holds what was found for one group besides instances, from several origins: each
// replaces only its own findings. Any goroutine may call its methods.
type Note struct {
	group, path string
	log         *slog.Logger
	report      func(f registry.Finding, usable int)

	mu      sync.Mutex
	usable  int
	formats map[string]int // of the usable children
	skipped []registry.Skipped
	unnamed int
	found   map[int][]registry.Finding
	logged  map[registry.Finding]time.Time // by kind and problem, which are few
	naming  naming
}

// NewNote returns a note of a group that is registered at path. report logs a finding,
// beside the number of usable children.
func NewNote(group, path string, log *slog.Logger, report func(f registry.Finding, usable int)) *Note {
	return &Note{
		group: group, path: path, log: log, report: report,
		found: make(map[int][]registry.Finding), logged: make(map[registry.Finding]time.Time),
	}
}

// Set replaces the findings of an origin and reports new ones.
func (n *Note) Set(origin int, found ...registry.Finding) {
	n.mu.Lock()
	defer n.mu.Unlock()
	before := n.found[origin]
	n.found[origin] = found
	for _, f := range found {
		same := func(g registry.Finding) bool { return reasonOf(g) == reasonOf(f) }
		if !slices.ContainsFunc(before, same) {
			n.logOnce(f)
		}
	}
}

// SetChildren does so for what was found of the children, and replaces the number of
// usable ones, also by format. Each child that is skipped is reported once, with its
// reason, or with others that have the same one if there are many.
func (n *Note) SetChildren(origin, usable int, formats map[string]int, found *Summary) {
	n.mu.Lock()
	defer n.mu.Unlock()
	before, now := slices.Sorted(maps.Keys(n.formats)), slices.Sorted(maps.Keys(formats))
	n.usable, n.formats, n.skipped, n.unnamed = usable, formats, found.Skipped(), found.Unnamed()
	if len(now) > 0 && !slices.Equal(before, now) {
		n.log.Info("reading registrations", "path", n.path, "formats", strings.Join(now, ", "), "usable", usable)
	}
	n.found[origin] = found.Found()
	named, many := n.naming.choose(found, time.Now())
	for _, f := range named {
		n.report(f, usable)
	}
	for _, f := range many {
		n.logOnce(f)
	}
}

// logOnce reports a finding unless one with the same reason was reported lately.
func (n *Note) logOnce(f registry.Finding) {
	if at, logged := n.logged[reasonOf(f)]; logged && time.Since(at) < logAgain {
		return
	}
	n.logged[reasonOf(f)] = time.Now()
	n.report(f, n.usable)
}

// reasonOf returns the kind and problem of a finding.
func reasonOf(f registry.Finding) registry.Finding {
	return registry.Finding{Kind: f.Kind, Problem: f.Problem}
}

// Get returns what was found, in the order of the origins.
func (n *Note) Get() registry.Registrations {
	n.mu.Lock()
	defer n.mu.Unlock()
	r := registry.Registrations{Group: n.group, Usable: n.usable, Formats: maps.Clone(n.formats), Skipped: n.skipped, Unnamed: n.unnamed}
	for _, origin := range slices.Sorted(maps.Keys(n.found)) {
		r.Findings = append(r.Findings, n.found[origin]...)
	}
	return r
}

// remarkable reports whether anything was found, or read in another format than `ip:port`.
func (n *Note) remarkable() bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	if len(n.formats) > 0 {
		return true
	}
	for _, found := range n.found {
		if len(found) > 0 {
			return true
		}
	}
	return false
}
