package check

import (
	"cmp"
	"fmt"
	"maps"
	"slices"

	"github.com/haproxy-zk/haproxy-zk/config"
	"github.com/haproxy-zk/haproxy-zk/registry"
)

// maxDiscovered is the maximum number of discovered groups reported individually.
const maxDiscovered = 20

// judgeRegistrations reports the children of a group other than instances, at the key
// of the group. Rejected instances are reported individually by [refusals].
func judgeRegistrations(p config.Proxy, group, path string, r registry.Registrations) (found []finding) {
	for _, f := range r.Findings {
		if f.Kind == registry.Refused {
			continue
		}
		found = append(found, finding{
			Proxy: p.Name, Severity: isWarning, Where: p.Name + group + ".zk.path",
			Text: registrationText(path, r, f), Remedy: f.Remedy,
		})
	}
	return found
}

// noteFormats says how the registrations of a group were read, unless by `ip:port`.
func noteFormats(p config.Proxy, group, path string, r registry.Registrations) (found []finding) {
	for _, format := range slices.Sorted(maps.Keys(r.Formats)) {
		found = append(found, finding{
			Proxy: p.Name, Severity: isNote, Where: p.Name + group + ".format",
			Text: fmt.Sprintf("%s: %s read as %s", path, plural(r.Formats[format], "registration"), format),
		})
	}
	return found
}

func registrationText(path string, r registry.Registrations, f registry.Finding) string {
	switch f.Kind {
	case registry.Misplaced:
		return fmt.Sprintf("%s (%s, as \"%s\")", f.Problem, children(f.Count), f.Example)
	case registry.Persistent:
		return fmt.Sprintf("%s: %s, as \"%s\": %s", path, plural(f.Count, "instance"), f.Example, f.Problem)
	}
	text := fmt.Sprintf("%s: %s skipped, as \"%s\": %s", path, plural(f.Count, "name"), f.Example, f.Problem)
	if r.Usable == 0 {
		text += "; none of the group's names can be used"
	}
	return text
}

func children(n int) string {
	if n == 1 {
		return "1 child"
	}
	return fmt.Sprintf("%d children", n)
}

// judgeDiscovered reports the children of discovered groups other than instances. Empty
// discovered groups are not reported: they were created on purpose.
func judgeDiscovered(p config.Proxy, read reading, contact registry.ConnectionStatus) (found []finding) {
	reported, more := 0, 0
	for _, name := range slices.Sorted(slices.Values(read.names)) {
		r := read.registrations[name]
		if len(r.Findings) == 0 && len(r.Formats) == 0 {
			continue
		}
		if reported++; reported > maxDiscovered {
			more++
			continue
		}
		path := p.ZooKeeper.Chroot + p.Discover.Path(name)
		found = slices.Concat(found, noteFormats(p, ".groups.*", path, r), judgeRegistrations(p, ".groups.*", path, r))
	}
	summary := finding{Proxy: p.Name, Severity: isWarning, Where: p.Name + ".groups.*.zk.path"}
	if more > 0 {
		summary.Text = fmt.Sprintf("%s also have registrations that are not served", plural(more, "more discovered group"))
		found = append(found, summary)
	}
	if read.unread > 0 {
		summary.Text = fmt.Sprintf("%s could not be read within %s", plural(read.unread, "discovered group"), readWithin)
		summary.Remedy = cmp.Or(contact.Denied, "see ZooKeeper's log")
		found = append(found, summary)
	}
	if !read.examined && len(read.groups) > 0 {
		found = append(found, finding{
			Proxy: p.Name, Severity: isNote, Where: p.Name + ".zk.path",
			Text: fmt.Sprintf("cannot determine for every instance whether it is ephemeral: no reply, or too many instances to check within %s", readWithin),
		})
	}
	return found
}
