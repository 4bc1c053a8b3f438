package config

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"

	"github.com/haproxy-zk/haproxy-zk/decode"
)

// zkFormat is the format of registrations.
func zkFormat() form[decode.Format] {
	var names []string
	for _, f := range decode.Formats() {
		names = append(names, string(f))
	}
	return form[decode.Format]{give: `"` + strings.Join(names, `" or "`) + `"`, parse: decode.ParseFormat}
}

func zkRegex() form[*regexp.Regexp] {
	return form[*regexp.Regexp]{
		give: `a regular expression as in Go, with the groups host and port, as in ^(?P<host>.+)_(?P<port>\d+)$`, literal: true,
		parse: decode.ParseRegex,
	}
}

func protocol() form[string] {
	return anyText("the name of a protocol, as in tri, rest, dubbo, bolt or https")
}

func portName() form[string] { return anyText("the name of a port, as in http or sslPort") }

const giveMatch = `an object of texts, as in {"version": "2"}, or a text as in version=2,zone=a`

// matchText is the form of match in a variable.
func matchText() form[map[string]string] {
	return form[map[string]string]{
		give: giveMatch,
		parse: func(text string) (map[string]string, error) {
			match := make(map[string]string)
			for pair := range strings.SplitSeq(text, ",") {
				key, value, given := strings.Cut(pair, "=")
				if key = strings.TrimSpace(key); !given || key == "" {
					return nil, fmt.Errorf("%q is not a key and a value", pair)
				}
				match[key] = strings.TrimSpace(value)
			}
			return match, nil
		},
	}
}

// readMatch reads the metadata that instances must have.
func (o *object) readMatch() map[string]string {
	v := o.get("match", "")
	if v.missing() {
		return nil
	}
	if v.kind == isText {
		match, _ := interpret(o.loader, v, matchText())
		return match
	}
	all, ok := o.object(v, giveMatch)
	if !ok {
		return nil
	}
	match := make(map[string]string)
	for _, m := range all.members {
		text := anyText("a text, as in 2")
		text.kinds, text.mayBeEmpty = []kind{isNumber, isFlag}, true
		match[m.name], _ = interpret(o.loader, m.value, text)
	}
	return match
}

// readDecoding reads how the instances of a group are registered. fallback is the proxy's
// format.
func (o *object) readDecoding(fallback decode.Format) decode.Options {
	d := decode.Options{
		Format:   read(o, "format", zkFormat(), string(fallback)),
		Regex:    read(o, "regex", zkRegex(), ""),
		PortName: read(o, "port_name", portName(), ""),
		Protocol: read(o, "protocol", protocol(), ""),
		Match:    o.readMatch(),
	}
	v := o.get("regex", "")
	switch {
	case d.Format == decode.Regex && v.missing():
		o.errorf(v.at, v.key, "the format is regex, but there is none: give %s", zkRegex().give)
	case d.Format != decode.Regex && !v.missing():
		o.warnf(v.at, v.key, "it has no effect: set the format to regex")
	}
	if v := o.get("match", ""); len(d.Match) > 0 && !d.Format.Matches() {
		o.errorf(v.at, v.key, "registrations of the format %s have no metadata, so no instance would be used: set the format to one that has", d.Format)
	}
	return d
}

// matchWords describes a match, for messages.
func matchWords(match map[string]string) string {
	if len(match) == 0 {
		return ""
	}
	var words []string
	for _, key := range slices.Sorted(maps.Keys(match)) {
		words = append(words, key+"="+match[key])
	}
	return " with " + strings.Join(words, ", ")
}
