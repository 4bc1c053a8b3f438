package syncer

import (
	"log/slog"

	"github.com/haproxy-zk/haproxy-zk/intake"
	"github.com/haproxy-zk/haproxy-zk/registry"
)

// The origins of findings.
const (
	fromNames  = iota // of the children
	fromPlace         // children beside a path that does not exist
	fromCreate        // of the path
	fromOwners        // of the children
)

func newNote(group, path string, log *slog.Logger) *intake.Note {
	return intake.NewNote(group, path, log, func(f registry.Finding, usable int) {
		about := log.With("path", path, "count", f.Count, "example", f.Example)
		switch f.Kind {
		case registry.NotCreated:
			log.Warn("cannot create path, waiting for it", "path", path, "problem", f.Problem, "remedy", f.Remedy)
		case registry.Persistent:
			about.Warn("instance is registered but not ephemeral: it stays when the instance dies", "remedy", f.Remedy)
		case registry.Misplaced:
			about.Warn("path does not exist, but its parent has other children: zk.path says where instances are looked for", "problem", f.Problem, "remedy", f.Remedy)
		case registry.Waiting:
			about.Info("instances are registered, but do not serve yet", "problem", f.Problem)
		default:
			about.Warn("skipping registered names that are not usable instances", "kind", string(f.Kind), "problem", f.Problem, "usable", usable, "remedy", f.Remedy)
		}
	})
}

// skippedKinds returns all kinds of children that are not used.
func skippedKinds() []registry.FindingKind {
	return []registry.FindingKind{
		registry.HostName, registry.UUID, registry.Sequential, registry.HostPortSequence, registry.URL,
		registry.Encoded, registry.Address, registry.Payload, registry.Protocol, registry.Waiting,
		registry.Unresolved, registry.Unreadable, registry.Refused, registry.Other,
	}
}

// skipped counts the children among findings.
func skipped(found []registry.Finding) (n int) {
	for _, f := range found {
		n += f.Count
	}
	return n
}
