package haproxy

import (
	"bytes"
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// Map is a map of HAProxy, in which it finds the group of a request. HAProxy reads the
// file when it starts, and never again.
type Map struct {
	Route Route
	// Path is the file, and the name of the map on the stats socket.
	Path string
	// entries are "KEY GROUP", in the order of the groups.
	entries []string
}

// Maps returns the maps of a configuration that [Template.Render] renders with the same
// arguments, in the order in which HAProxy asks them. A map of [Frame.Routes] may be
// empty. HAProxy does not know a map that no rule asks: there are none without
// $use_backend in a section of mode http.
func (t *Template) Maps(f Frame, backends []Backend) []Map {
	if !slices.ContainsFunc(t.sections, (*section).asksMaps) {
		return nil
	}
	return routeMaps(f, backends)
}

// asksMaps reports whether the section has rules that ask maps.
func (s *section) asksMaps() bool { return len(s.blocks["use_backend"]) > 0 && s.mode() == "http" }

func routeMaps(f Frame, backends []Backend) []Map {
	routes := slices.Clone(f.Routes)
	of := make(map[Route][]string)
	for _, b := range backends {
		if b.Route == "" {
			continue
		}
		if !slices.Contains(routes, b.Route) {
			routes = append(routes, b.Route)
		}
		of[b.Route] = append(of[b.Route], Map{Route: b.Route}.entry(b))
	}
	slices.SortFunc(routes, func(a, b Route) int { return cmp.Or(cmp.Compare(a.rank(), b.rank()), cmp.Compare(a, b)) })
	maps := make([]Map, len(routes))
	for i, r := range routes {
		maps[i] = Map{Route: r, Path: mapPath(f.ConfFile, r), entries: of[r]}
	}
	return maps
}

func mapPath(confFile string, r Route) string {
	return confFile + "." + strings.NewReplacer("+", "-", ":", "-").Replace(string(r)) + ".map"
}

// CheckMapsBeside returns why HAProxy could not name maps beside a configuration file.
func CheckMapsBeside(confFile string) error {
	if strings.ContainsAny(confFile, " \t,;()[]{}'\"\\#$%") {
		return fmt.Errorf("%q cannot be part of an expression of HAProxy, which names the map files beside it: use no spaces, quotes, brackets and none of , ; # $ %% \\", confFile)
	}
	return nil
}

// Text returns the content of the file.
func (m Map) Text() []byte {
	var text bytes.Buffer
	for _, e := range m.entries {
		text.WriteString(e)
		text.WriteByte('\n')
	}
	return text.Bytes()
}

// renderMaps renders the rules that ask the maps. Without the condition, a request that
// is in no map would not get to the next rule.
func renderMaps(out *page, f Frame, backends []Backend) {
	maps := routeMaps(f, backends)
	if slices.ContainsFunc(maps, func(m Map) bool { return m.Route == RouteHostPath }) {
		out.linef("http-request set-var(%s) path", pathVariable)
	}
	for _, m := range maps {
		ask := m.Route.sample() + "," + m.Route.lookup(m.Path)
		out.linef("use_backend %%[%s] if { %s -m found }", ask, ask)
	}
}

// AsksMap reports whether a line of a configuration asks the map.
func (m Map) AsksMap(line string) bool { return strings.Contains(line, m.Route.lookup(m.Path)) }

// Groups returns the groups in the map.
func (m Map) Groups() []string {
	groups := make([]string, len(m.entries))
	for i, e := range m.entries {
		_, groups[i], _ = strings.Cut(e, " ")
	}
	return groups
}

// With returns the map with the entries of groups as well, which have the map's route. It
// copies the map once, however many there are.
func (m Map) With(backends []Backend) Map {
	has := make(map[string]bool, len(m.entries)+len(backends))
	for _, e := range m.entries {
		has[e] = true
	}
	m.entries = slices.Clip(m.entries)
	for _, b := range backends {
		if entry := m.entry(b); !has[entry] {
			m.entries, has[entry] = append(m.entries, entry), true
		}
	}
	return m
}

// Without returns the map without the entries of groups. It copies the map once.
func (m Map) Without(backends []Backend) Map {
	gone := make(map[string]bool, len(backends))
	for _, b := range backends {
		gone[m.entry(b)] = true
	}
	m.entries = slices.DeleteFunc(slices.Clone(m.entries), func(e string) bool { return gone[e] })
	return m
}

func (m Map) entry(b Backend) string { return m.Route.key(b.Name) + " " + b.Name }

// Set returns the request that routes to a group if the map has its key, and Add the one
// that does if it does not: HAProxy would add a key again. The reply is empty, or
// [Map.Lacks] the key.
func (m Map) Set(b Backend) string { return "set map " + m.Path + " " + m.entry(b) }

// Add is described at Set.
func (m Map) Add(b Backend) string { return "add map " + m.Path + " " + m.entry(b) }

// Delete returns the request that removes the entry of a group.
func (m Map) Delete(b Backend) string { return "del map " + m.Path + " " + m.Route.key(b.Name) }

// Lacks reports whether the reply to [Map.Set] or [Map.Delete] says that the map does not
// have the key.
func (m Map) Lacks(reply string) bool {
	return reply == "entry not found." || reply == "Key not found."
}
