package check

import (
	"fmt"
	"strings"

	"github.com/haproxy-zk/haproxy-zk/config"
	"github.com/haproxy-zk/haproxy-zk/haproxy"
	"github.com/haproxy-zk/haproxy-zk/plan"
)

// places maps the lines of a rendered configuration to their origins.
type places struct {
	proxy      config.Proxy
	discovered *discoveredPlaces // may be nil
	template   string
	rendered   []string
	source     []haproxy.Place // of each rendered line
}

func newPlaces(pl subject, rendered []byte) places {
	return places{
		proxy:      pl.Proxy,
		discovered: pl.discovered,
		template:   templateName(pl.Plan),
		rendered:   strings.Split(string(rendered), "\n"),
		source:     pl.Places(),
	}
}

func templateName(pl *plan.Plan) string {
	if pl.Template == "" {
		return "the built-in template"
	}
	return pl.Template
}

// of returns the template and its line, the key of the group that the line was made
// for, or the rendered file.
func (p places) of(line int) (where string, in int) {
	if line < 1 || line > len(p.source) {
		return p.proxy.ConfFile, max(line, 0)
	}
	switch place := p.source[line-1]; {
	case place.Template > 0:
		return p.template, place.Template
	case p.discovered != nil && p.discovered.names[place.Group] && place.Line > 0:
		return p.discovered.key("lines"), 0
	case p.discovered != nil && p.discovered.names[place.Group]:
		return p.discovered.line(p.rendered[line-1]), 0
	case place.Line > 0:
		return p.proxy.Name + ".groups." + place.Group + ".lines", 0
	case place.Group != "":
		return p.proxy.Name + ".groups." + place.Group, 0
	}
	return p.proxy.ConfFile, line
}

// section returns the place where the section of that name begins.
func (p places) section(name string) (where string, in int) {
	for i, line := range p.rendered {
		words := strings.Fields(line)
		if len(words) < 2 || words[1] != name {
			continue
		}
		switch words[0] {
		case "frontend", "backend", "listen":
			return p.of(i + 1)
		}
	}
	return p.proxy.ConfFile, 0
}

// line returns the text of a rendered line; empty if there is none.
func (p places) line(line int) string {
	if line < 1 || line > len(p.source) {
		return ""
	}
	return p.rendered[line-1]
}

// relocate replaces lines of the rendered file, which is not kept, with those of the
// template. about is the file of the message: its lines are given by number alone.
func (p places) relocate(m haproxy.Message, about string) haproxy.Message {
	return m.Relocate(p.proxy.ConfFile, func(line int) string {
		switch where, in := p.of(line); {
		case in == 0:
			return where
		case where == about:
			return fmt.Sprintf("line %d", in)
		default:
			return fmt.Sprintf("%s:%d", where, in)
		}
	})
}

// quote returns a remedy with the line that is to be corrected.
func (p places) quote(line int) string {
	if line < 1 || line > len(p.source) {
		return ""
	}
	text := "correct the line"
	switch place := p.source[line-1]; {
	case place.Template > 0:
	case p.discovered != nil && p.discovered.names[place.Group]:
		text = "correct the setting that produces the line"
	case place.Line > 0:
		text = "correct the group's own line"
	default:
		text = fmt.Sprintf("correct the setting that produces line %d of the output of `haproxy-zk render` for %s", line, p.proxy.Name)
	}
	if words := strings.TrimSpace(p.rendered[line-1]); !haproxy.MayBeSecret(words) {
		text += ": " + words
	}
	return text
}
