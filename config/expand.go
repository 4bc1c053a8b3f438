package config

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
)

var variableName = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`)

// expand replaces each ${NAME} by the value of the environment variable, except those in
// ours. Values are not expanded again.
func expand(text string, ours []string, lookup func(string) (string, bool)) (string, error) {
	var (
		out   strings.Builder
		unset []string
	)
	for rest := text; ; {
		before, after, found := strings.Cut(rest, "${")
		out.WriteString(before)
		if !found {
			break
		}
		name, behind, closed := strings.Cut(after, "}")
		if !closed {
			return "", fmt.Errorf("%q has an unclosed ${: add the }", text)
		}
		if slices.Contains(ours, name) {
			out.WriteString("${" + name + "}")
		} else if !variableName.MatchString(name) {
			return "", fmt.Errorf("%q is not an environment variable: write it as ${NAME}%s", "${"+name+"}", besides(ours))
		} else if value, set := lookup(name); set {
			out.WriteString(value)
		} else if variable := "${" + name + "}"; !slices.Contains(unset, variable) {
			unset = append(unset, variable)
		}
		rest = behind
	}
	if len(unset) > 0 {
		return "", fmt.Errorf("the environment does not set %s: set it or correct the name%s", strings.Join(unset, ", "), besides(ours))
	}
	return out.String(), nil
}

// besides lists the predefined names.
func besides(ours []string) string {
	if len(ours) == 0 {
		return ""
	}
	return " (predefined here: ${" + strings.Join(ours, "}, ${") + "})"
}
