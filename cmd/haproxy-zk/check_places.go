package main

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/haproxy-zk/haproxy-zk/config"
	"github.com/haproxy-zk/haproxy-zk/hactl"
)

// places tells where the lines of a rendered configuration come from.
type places struct {
	proxy    config.Proxy
	template string
	rendered []string
	source   []int // the template's lines, 0 for those that were added
}

func newPlaces(pl *plan, rendered []byte) places {
	return places{
		proxy:    pl.Proxy,
		template: templateName(pl),
		rendered: strings.Split(string(rendered), "\n"),
		source:   pl.template.Source(rendered),
	}
}

func templateName(pl *plan) string {
	if pl.Template == "" {
		return "the built-in template"
	}
	return pl.Template
}

// of returns the template and its line, or the group that the line was made of,
// or the rendered file.
func (p places) of(line int) (where string, in int) {
	if line < 1 || line > len(p.source) {
		return p.proxy.ConfFile, max(line, 0)
	}
	if in := p.source[line-1]; in > 0 {
		return p.template, in
	}
	switch keyword, name := hactl.Opening(p.rendered[:line]); keyword {
	case "acl", "use_backend", "default_backend", "backend", "frontend":
		name = strings.TrimSuffix(name, ".listener")
		if slices.ContainsFunc(p.proxy.Groups, func(g config.Group) bool { return g.Name == name }) {
			return p.proxy.Name + ".groups." + name, 0
		}
	}
	return p.proxy.ConfFile, line
}

// section is where the section of that name begins.
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

// secret is a line that is not to be repeated.
var secret = regexp.MustCompile(`(?i)auth|passw|user|secret|key`)

// quote tells how a line reads that is to be corrected.
func (p places) quote(line int) string {
	if line < 1 || line > len(p.source) {
		return ""
	}
	text := "correct the line"
	if p.source[line-1] == 0 {
		text = fmt.Sprintf("correct what became line %d of what `haproxy-zk render` prints for %s", line, p.proxy.Name)
	}
	if words := strings.TrimSpace(p.rendered[line-1]); !secret.MatchString(words) {
		text += ": " + words
	}
	return text
}
