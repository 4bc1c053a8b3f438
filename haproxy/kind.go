package haproxy

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"net/netip"
	"slices"
	"strings"
	"unicode"
)

// Kind is a defaults section of a configuration, from which the backends of groups with the
// same settings are added at run time.
type Kind struct {
	// Name is that of the section.
	Name string
	// settings has the name [AnyGroup].
	settings Backend
}

// Kinds returns the kinds of the groups that are written out and can be added at run time.
func (t *Template) Kinds(f Frame, written []Backend) []Kind {
	if !f.Version.addsBackends() {
		return nil
	}
	var kinds []Kind
	for _, b := range written {
		if b.Carry != CarryAuto && b.Carry != CarryBackends || b.Route == "" {
			continue
		}
		k := t.kind(f, b)
		if slices.ContainsFunc(kinds, func(known Kind) bool { return known.Name == k.Name }) {
			continue
		}
		if way, _ := t.Carries(b, f.Version); way == CarryBackends {
			kinds = append(kinds, k)
		}
	}
	return kinds
}

// KindOf returns the name of the defaults section from which the backend of a group is added
// to a process that was started with the frame.
func (t *Template) KindOf(f Frame, b Backend) string {
	if b.Discovered {
		return AnyGroup
	}
	k := t.kind(f, b)
	if t.rendersAnyGroup(f) && t.kind(f, *f.Discovered).Name == k.Name {
		return AnyGroup
	}
	return k.Name
}

// GroupRenderer returns a function that renders the backend of a group as a configuration
// with the frame has it, with one server.
func (t *Template) GroupRenderer(f Frame) func(Backend) string {
	r, server := t.renewal(f), []Row{{Addr: netip.AddrPortFrom(netip.IPv4Unspecified(), 1), Named: true}}
	return func(b Backend) string {
		out := &page{}
		t.renderBackend(out, b, server, r, t.from(f.Version), nil)
		return out.String()
	}
}

// renderedKinds returns the kinds that the configuration has.
func (t *Template) renderedKinds(f Frame) (kinds []Kind) {
	same := ""
	if t.rendersAnyGroup(f) {
		kinds, same = append(kinds, Kind{AnyGroup, *f.Discovered}), t.kind(f, *f.Discovered).Name
	}
	if f.Version.addsBackends() {
		others := slices.DeleteFunc(slices.Clone(f.Kinds), func(k Kind) bool { return k.Name == same })
		slices.SortFunc(others, func(a, b Kind) int { return cmp.Compare(a.Name, b.Name) })
		kinds = append(kinds, others...)
	}
	return kinds
}

// kind returns the kind of a group, whose name follows from its settings.
func (t *Template) kind(f Frame, b Backend) Kind {
	settings := b
	settings.Name = AnyGroup
	if general := withAnyGroup(b.HTTPCheck, b.Name); general != b.HTTPCheck {
		settings.HTTPCheck = general
		if t.checkObstacle(settings, f.Version) != "" {
			settings.HTTPCheck = b.HTTPCheck
		}
	}
	text := &page{}
	t.renderSettings(text, settings, t.renewal(f), nil)
	sum := sha256.Sum256(text.Bytes())
	return Kind{AnyGroup + "." + hex.EncodeToString(sum[:4]), settings}
}

// withAnyGroup returns a health check with [AnyGroup] in place of the name of its group where
// that is not part of a longer word, except for the method.
func withAnyGroup(check, name string) string {
	if name == AnyGroup || strings.EqualFold(name, "http") { // a word of its version
		return check
	}
	method, rest, found := strings.Cut(check, " ")
	if !found {
		method, rest = "", check
	} else {
		method += " "
	}
	var out strings.Builder
	out.WriteString(method)
	for {
		at := strings.Index(rest, name)
		if at < 0 {
			break
		}
		end := at + len(name)
		if alphanumeric(rest[:at], true) || alphanumeric(rest[end:], false) {
			out.WriteString(rest[:end])
		} else {
			out.WriteString(rest[:at] + AnyGroup)
		}
		rest = rest[end:]
	}
	return out.String() + rest
}

// alphanumeric reports whether the last, or the first, byte of a text is a letter or a digit.
func alphanumeric(text string, last bool) bool {
	if text == "" {
		return false
	}
	c := text[0]
	if last {
		c = text[len(text)-1]
	}
	return unicode.IsLetter(rune(c)) || unicode.IsDigit(rune(c))
}

// Keeping returns the frame with what makes no difference to its groups, but others may use
// in a process that was started with another frame: kinds and routes of groups.
func (f Frame) Keeping(running Frame) Frame {
	f.Routes, f.Kinds = slices.Clone(f.Routes), slices.Clone(f.Kinds)
	for _, r := range running.Routes {
		if !slices.Contains(f.Routes, r) {
			f.Routes = append(f.Routes, r)
		}
	}
	for _, k := range running.Kinds {
		if !slices.ContainsFunc(f.Kinds, func(known Kind) bool { return known.Name == k.Name }) {
			f.Kinds = append(f.Kinds, k)
		}
	}
	if f.Discovered == nil {
		f.Discovered = running.Discovered
	}
	return f
}
