package files

import (
	"log/slog"

	"github.com/haproxy-zk/haproxy-zk/intake"
	"github.com/haproxy-zk/haproxy-zk/registry"
)

func newNote(group, path string, log *slog.Logger) *intake.Note {
	return intake.NewNote(group, path, log, func(f registry.Finding, usable int) {
		log.Warn("skipping entries of the directory that are not usable instances",
			"path", path, "kind", string(f.Kind), "count", f.Count, "example", f.Example, "problem", f.Problem, "usable", usable, "remedy", f.Remedy)
	})
}

// unused counts the entries of which nothing is used: of an unreadable one its last
// content is.
func unused(found []registry.Finding) (n int) {
	for _, f := range found {
		if f.Kind != registry.Unreadable {
			n += f.Count
		}
	}
	return n
}
