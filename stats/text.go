package stats

import (
	"bufio"
	"io"
	"strings"
)

const (
	buffered = 64 << 10
	// longestLine has room for the names of a proxy and a group; a longer one is copied.
	longestLine = 1 << 10
)

// writeText writes readings in Prometheus' text format, or in that of OpenMetrics without
// the last line. A series per instance and metric, made as a value of the Prometheus
// library, would take seconds and 100 MB with 20,000 instances: this writes lines.
func writeText(w io.Writer, readings []*Reading, openMetrics bool) error {
	var frontends, groups, instances []labeled
	count := 0
	for _, r := range readings {
		for i := range r.Groups {
			count += len(r.Groups[i].Instances)
		}
	}
	instances = make([]labeled, 0, count)
	for _, r := range readings {
		proxy := `{proxy="` + escape(r.Proxy) + `"`
		for _, f := range r.Frontends {
			frontends = append(frontends, labeled{proxy + `,frontend="` + f.Name + `"`, "", &Instance{Figures: f.Figures}})
		}
		for i := range r.Groups {
			g := &r.Groups[i]
			group := proxy + `,group="` + escape(g.Name) + `"`
			groups = append(groups, labeled{group, "", &Instance{Figures: g.Figures}})
			for i := range g.Instances {
				of := &g.Instances[i]
				instances = append(instances, labeled{group, of.label, of})
			}
		}
	}
	out := &writer{Writer: bufio.NewWriterSize(w, buffered), openMetrics: openMetrics}
	for _, kind := range []struct {
		families []family
		all      []labeled
	}{{instanceFamilies(), instances}, {groupFamilies(), groups}, {frontendFamilies(), frontends}} {
		for _, f := range kind.families {
			if err := out.family(f, kind.all, f.clashes(kind.families)); err != nil {
				return err
			}
		}
	}
	return out.Flush()
}

// labeled has the figures of one frontend, group or instance.
type labeled struct {
	labels string    // `{name="value",…` without the brace at the end
	more   string    // `,name="value"` of an instance
	of     *Instance // with nothing but the figures, unless it is an instance
}

type writer struct {
	*bufio.Writer
	openMetrics bool
}

// family writes the series of a metric; there may be none. clashes is that of the family.
func (w *writer) family(f family, all []labeled, clashes bool) error {
	if len(all) == 0 {
		return nil
	}
	kind, name := "gauge", f.name
	switch {
	case f.counter && w.openMetrics && clashes:
		kind = "unknown"
	case f.counter && w.openMetrics:
		kind, name = "counter", f.base()
	case f.counter:
		kind = "counter"
	}
	if _, err := w.WriteString("# HELP " + name + " " + f.help + "\n# TYPE " + name + " " + kind + "\n"); err != nil {
		return err
	}
	for _, one := range all {
		for _, s := range f.series {
			if w.Available() < longestLine {
				if err := w.Flush(); err != nil {
					return err
				}
			}
			// In the buffer itself, so that nothing is copied.
			line := append(append(append(append(append(w.AvailableBuffer(), f.name...), one.labels...), one.more...), s.label...), "} "...)
			if line = s.append(line, one.of); line == nil {
				continue
			}
			if _, err := w.Write(append(line, '\n')); err != nil {
				return err
			}
		}
	}
	return nil
}

// escape escapes the value of a label.
func escape(value string) string {
	return strings.NewReplacer(`\`, `\\`, "\n", `\n`, `"`, `\"`).Replace(value)
}
