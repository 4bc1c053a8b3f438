package hactl

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// fakeBackends is what a fakeWorker knows of backends that come and go.
type fakeBackends struct {
	defaults    []string        // names of sections
	unpublished map[string]bool // backends
	streams     map[string]int  // requests that refer to a backend
}

func (b *fakeBackends) from(name string) { b.defaults = append(b.defaults, name) }

// listBackends answers `show stat -1 2 -1` with the columns that are needed.
func (w *fakeWorker) listBackends() string {
	out := "# pxname,svname,qcur,status,weight,"
	for _, name := range slices.Sorted(maps.Keys(w.backends)) {
		status := "UP"
		if w.dynamic.unpublished[name] {
			status += " (UNPUB)"
		}
		out += fmt.Sprintf("\n%s,BACKEND,0,%s,1,", name, status)
	}
	return out
}

// changeBackend answers as HAProxy 3.4 does.
func (w *fakeWorker) changeBackend(words []string) string {
	b := &w.dynamic
	if b.unpublished == nil {
		b.unpublished, b.streams = make(map[string]bool), make(map[string]int)
	}
	name := words[2]
	if words[0] == "wait" {
		name = words[3]
	}
	switch exists := w.backends[name]; {
	case words[0] == "add" && exists:
		return "Error during backend creation : name is already used by other proxy 'backend " + name + "'."
	case words[0] == "add" && !slices.Contains(b.defaults, words[4]):
		return "Cannot find default proxy '" + words[4] + "'."
	case words[0] == "add":
		w.backends[name], b.unpublished[name] = true, true
		return "New backend registered."
	case !exists && words[0] == "wait":
		return "Failed. No such backend."
	case !exists:
		return "No such backend."
	case words[0] == "publish":
		delete(b.unpublished, name)
		return "Backend published."
	case words[0] == "unpublish":
		b.unpublished[name] = true
		return "Backend unpublished."
	case words[0] == "wait" && b.streams[name] > 0:
		return "Wait delay expired."
	case words[0] == "wait":
		return "Done."
	}
	return w.deleteBackend(name)
}

func (w *fakeWorker) deleteBackend(name string) string {
	switch b := &w.dynamic; {
	case !b.unpublished[name]:
		return "Backend must be unpublished prior to its deletion."
	case slices.ContainsFunc(w.names, func(server string) bool { return strings.HasPrefix(server, name+"/") }):
		return "Only a backend without server can be deleted."
	case b.streams[name] > 0:
		return "Backend still has attached streams on it."
	}
	delete(w.backends, name)
	delete(w.dynamic.unpublished, name)
	return "Server " + name + "/x is going DOWN for maintenance.\nBackend deleted."
}

// routes returns the published groups that a map has, sorted.
func (w *fakeWorker) routes(file string) (groups []string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, line := range w.maps[file] {
		if group := strings.Fields(line)[2]; w.backends[group] && !w.dynamic.unpublished[group] {
			groups = append(groups, group)
		}
	}
	slices.Sort(groups)
	return groups
}

// knows reports whether the worker has a backend.
func (w *fakeWorker) knows(backend string) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.backends[backend]
}

// uses sets how many requests refer to a backend.
func (w *fakeWorker) uses(backend string, n int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.dynamic.streams == nil {
		w.dynamic.unpublished, w.dynamic.streams = make(map[string]bool), make(map[string]int)
	}
	w.dynamic.streams[backend] = n
}
