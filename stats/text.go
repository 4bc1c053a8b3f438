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
	out := &writer{Writer: bufio.NewWriterSize(w, 64<<10), openMetrics: openMetrics}
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
	out.families(instanceFamilies(), instances)
	out.families(groupFamilies(), groups)
	out.families(frontendFamilies(), frontends)
	return out.Flush() // bufio keeps the first error
}

// labeled has the figures of one frontend, group or instance.
type labeled struct {
	labels string    // `{name="value",…` without the brace at the end
	of     *Instance // with nothing but the figures, unless it is an instance
}

type writer struct {
	*bufio.Writer
	openMetrics bool
	value       []byte
}

func (w *writer) families(families []family, all []labeled) {
	if len(all) == 0 {
		return
	}
	for _, f := range families {
		kind, name := "gauge", f.name
		if f.counter {
			kind = "counter"
			if w.openMetrics {
				name = strings.TrimSuffix(name, "_total")
			}
		}
		w.WriteString("# HELP " + name + " " + f.help + "\n# TYPE " + name + " " + kind + "\n")
		for _, one := range all {
			for _, s := range f.series {
				value := s.append(w.value[:0], one.of)
				if value == nil {
					continue
				}
				w.value = value
				w.WriteString(f.name)
				w.WriteString(one.labels)
				w.WriteString(s.label)
				w.WriteString("} ")
				w.Write(value)
				w.WriteByte('\n')
			}
		}
	}
}

// escape escapes the value of a label.
func escape(value string) string {
	return strings.NewReplacer(`\`, `\\`, "\n", `\n`, `"`, `\"`).Replace(value)
}
