package sources

import (
	"context"
	"log/slog"
	"slices"
	"time"

	"github.com/haproxy-zk/haproxy-zk/registry"
)

// Written is the source of the instances that are written in the configuration. It lists
// the groups that have any, once.
type Written struct {
	groups   []registry.Group
	findings []registry.Registrations
	sink     Sink
}

// NewWritten returns a source of groups and their instances, by name. Those that admit
// rejects are skipped and logged; a nil admit admits all.
func NewWritten(groups map[string][]registry.Instance, admit func(registry.Instance) error, sink Sink, log *slog.Logger) *Written {
	w := &Written{sink: sink}
	for name, all := range groups {
		g := registry.Group{Name: name, Instances: []registry.Instance{}}
		r := registry.Registrations{Group: name}
		for _, i := range all {
			if admit != nil {
				if err := admit(i); err != nil {
					g.Skipped++
					f := refused(i, err)
					r.Findings = append(r.Findings, f)
					r.Skipped = append(r.Skipped, registry.Skipped{Name: f.Example, Kind: f.Kind, Problem: f.Problem, Remedy: f.Remedy})
					log.Warn("skipping an instance that is written in the configuration", "group", name, "instance", i.String(), "problem", err)
					continue
				}
			}
			g.Instances = append(g.Instances, i)
		}
		g.Instances = registry.Sort(g.Instances)
		w.groups = append(w.groups, g)
		if r.Usable = len(g.Instances); len(r.Findings) > 0 {
			w.findings = append(w.findings, r)
		}
	}
	slices.SortFunc(w.findings, byGroup)
	return w
}

func refused(i registry.Instance, err error) registry.Finding {
	return registry.Finding{
		Kind: registry.Refused, Count: 1, Example: i.String(), Problem: err.Error(),
		Remedy: "remove it from `instances`, or change allow_networks and deny_networks if they refuse it",
	}
}

// Run implements [Source].
func (w *Written) Run(ctx context.Context) error {
	for _, g := range w.groups {
		w.sink.SetGroup(g)
	}
	<-ctx.Done()
	return nil
}

// ConnectionStatus implements [Source].
func (*Written) ConnectionStatus() registry.ConnectionStatus {
	return registry.ConnectionStatus{Source: registry.Written, Connected: true, Last: time.Now()}
}

// Registrations implements [Source].
func (w *Written) Registrations() []registry.Registrations { return w.findings }
