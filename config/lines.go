package config

import (
	"fmt"
	"path/filepath"
	"strconv"
	"strings"
)

// Limits of a group's own lines, against a file that is none of ours.
const (
	// Limits of a group's own lines, in case the file is a wrong one.
	maxLines      = 1000
	maxLinesBytes = 64 << 10
	haproxyLine   = "a line of HAProxy's configuration, as in timeout server 5m"
	tooManyLines  = "%d lines: give at most %d, and write what groups share into the template's defaults"
	tooLongLines  = "%d bytes: give at most %d, and write what groups share into the template's defaults"
	cannotBeALine = "%q: %v"
)

func backendLine() form[string] {
	f := anyText(haproxyLine)
	f.ours = []string{"group", "app", "nbproc", "pid_file", "listener_port", "admin_port"}
	f.parse = func(text string) (string, error) { return strings.TrimSpace(text), nil }
	return f
}

// ownLines reads the lines that the group adds to its backend: those of the key lines, then
// those of lines_file.
func (o *object) ownLines(g Group) []string {
	var lines []string
	size := 0
	take := func(v value) {
		line, ok := interpret(o.loader, v, backendLine())
		if !ok {
			return
		}
		line = strings.NewReplacer("${group}", g.Name, "${app}", g.Name).Replace(line)
		if err := o.env.CheckLine(g, line); err != nil {
			o.errorf(v.at, v.key, cannotBeALine, line, err)
			return
		}
		lines = append(lines, line)
		size += len(line)
	}
	inline, file := o.list("lines", ""), o.linesOfFile()
	if total := len(inline) + len(file); total > maxLines {
		v := o.get("lines", "")
		if len(file) > len(inline) {
			v = o.get("lines_file", "")
		}
		o.errorf(v.at, v.key, tooManyLines, total, maxLines)
		return nil
	}
	for _, v := range append(inline, file...) {
		take(v)
	}
	if v := o.get("lines", ""); size > maxLinesBytes {
		o.errorf(v.at, v.key, tooLongLines, size, maxLinesBytes)
	}
	return lines
}

// linesOfFile returns the lines of lines_file without comments and empty lines. Their keys
// name the file and the line.
func (o *object) linesOfFile() []value {
	v := o.get("lines_file", "")
	if v.missing() {
		return nil
	}
	path, ok := interpret(o.loader, v, plainFile())
	if !ok {
		return nil
	}
	data, err := o.env.ReadFile(path)
	if err != nil {
		o.errorf(v.at, v.key, "cannot read the lines of the group's backend: %v: name a file of lines such as `timeout server 5m`", err)
		return nil
	}
	var values []value
	number := 0
	for line := range strings.Lines(string(data)) {
		number++
		text := strings.TrimRight(line, "\r\n")
		if trimmed := strings.TrimSpace(text); trimmed == "" || strings.HasPrefix(trimmed, "#") {
			continue
		}
		values = append(values, value{
			node: node{kind: isText, at: v.at, text: text},
			key:  fmt.Sprintf("%s (%s:%s)", v.key, filepath.Clean(path), strconv.Itoa(number)),
		})
	}
	return values
}
