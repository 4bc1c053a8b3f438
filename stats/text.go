package stats

import (
	"bufio"
	"io"
	"strings"
)

// writeText writes readings in Prometheus' text format, or in that of OpenMetrics without
// the last line. A series per instance and metric, made as a value of the Prometheus
// library, would take seconds and 100 MB with 20,000 instances: this writes lines.
func writeText(w io.Writer, readings []*Reading, openMetrics bool) error {
	var frontends, groups, instances []labeled
	for _, r := range readings {
		proxy := `{proxy="` + escape(r.Proxy) + `"`
		for _, f := range r.Frontends {
			frontends = append(frontends, labeled{proxy + `,frontend="` + f.Name + `"`, &Instance{Figures: f.Figures}})
		}
		for _, g := range r.Groups {
			group := proxy + `,group="` + escape(g.Name) + `"`
			groups = append(groups, labeled{group, &Instance{Figures: g.Figures}})
			for i := range g.Instances {
				of := &g.Instances[i]
				instances = append(instances, labeled{group + `,address="` + of.Addr.String() + `"`, of})
			}
		}
	}
	out := &writer{Writer: bufio.NewWriterSize(w, 64<<10), openMetrics: openMetrics}
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
	of     *Instance // with nothing but the figures, unless it is an instance
}

type writer struct {
	*bufio.Writer
	openMetrics bool
	line        []byte
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
			w.line = append(append(append(append(w.line[:0], f.name...), one.labels...), s.label...), "} "...)
			line := s.append(w.line, one.of)
			if line == nil {
				continue
			}
			w.line = append(line, '\n')
			if _, err := w.Write(w.line); err != nil {
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
