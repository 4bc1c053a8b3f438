package config

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
)

// Prefix begins the full name of each variable that haproxy-zk reads: LISTENER_PORT is short
// for HAPROXY_ZK_LISTENER_PORT.
const Prefix = "HAPROXY_ZK_"

// Kubernetes sets variables in every container for each service of the namespace, and
// Docker for each link: for a service named admin, ADMIN_PORT=tcp://10.0.0.1:80 and more.
var (
	serviceAddress = regexp.MustCompile(`^(tcp|udp|sctp)://`)
	serviceName    = regexp.MustCompile(`(^|_)(SERVICE_HOST|SERVICE_PORT(_\w+)?|PORT_\d+_\w+|ENV_\w+|NAME)$`)
)

// Resolve returns the environment in which each known variable has its value under its
// short name: that of its full name if set, which stays too. Variables that describe a
// service of Kubernetes are removed. settings are known variables besides those of
// [FromEnvironment]. The warnings are about variables without effect.
func Resolve(environment map[string]string, settings ...string) (map[string]string, []Problem) {
	known := append(environmentNames(), settings...)
	resolved := maps.Clone(environment)
	var warnings []Problem
	warn := func(name, format string, args ...any) {
		warnings = append(warnings, Problem{File: "environment", Key: name, Text: fmt.Sprintf(format, args...)})
	}
	for _, short := range known {
		for _, name := range []string{short, Prefix + short} {
			if strings.HasSuffix(name, "_PORT") && serviceAddress.MatchString(resolved[name]) {
				delete(resolved, name)
				remedy := "set " + Prefix + short + " if you mean haproxy-zk's"
				if name != short {
					remedy = "give the service another name"
				}
				warn(name, "ignored, because it describes a service of Kubernetes or a link of Docker: %s", remedy)
			}
		}
		if text := resolved[Prefix+short]; text != "" {
			resolved[short] = text
		}
	}
	for _, name := range slices.Sorted(maps.Keys(environment)) {
		short, ours := strings.CutPrefix(name, Prefix)
		if !ours || slices.Contains(known, short) || serviceName.MatchString(short) || serviceAddress.MatchString(environment[name]) {
			continue
		}
		if word, ok := Nearest(short, lower(known)); ok {
			warn(name, "unknown variable, ignored: did you mean %s?", Prefix+strings.ToUpper(word))
		} else {
			warn(name, "unknown variable, ignored")
		}
	}
	return resolved, warnings
}

func lower(words []string) []string {
	all := make([]string, len(words))
	for i, word := range words {
		all[i] = strings.ToLower(word)
	}
	return all
}

// environmentNames returns the short names of the variables of [FromEnvironment].
func environmentNames() []string {
	var names []string
	for _, s := range slices.Concat(proxySettings(), groupSettings(), variableSettings()) {
		if s.variable != "" {
			names = append(names, s.variable)
		}
	}
	return names
}

// environmentSecrets returns the variables of [FromEnvironment] that hold secrets, by both
// of their names.
func environmentSecrets() []string {
	return []string{"ADMIN_PASSWORD", Prefix + "ADMIN_PASSWORD", "ZK_AUTH", Prefix + "ZK_AUTH", "ZK_SASL", Prefix + "ZK_SASL"}
}

// Spell returns the name, short or full, under which a variable of a resolved environment
// is set.
func Spell(name string, environment map[string]string) string {
	if environment[Prefix+name] != "" {
		return Prefix + name
	}
	return name
}

// renameKeys replaces the variables in problems by the names under which they are set.
func renameKeys(problems []Problem, environment map[string]string) {
	for i, p := range problems {
		problems[i].Key = Spell(p.Key, environment)
	}
}
