package check

import (
	"slices"
	"strings"

	"github.com/haproxy-zk/haproxy-zk/haproxy"
)

// judgeReach finds the groups that no rule of the rendered configuration selects.
func judgeReach(proxy string, backends []haproxy.Backend, rendered []byte, maps []haproxy.Map) []finding {
	var found []finding
	for _, name := range unreached(backends, rendered, maps) {
		found = append(found, finding{
			Proxy: proxy, Severity: isWarning, Where: proxy + ".groups." + name, Text: "unreachable: no use_backend or default_backend selects this group",
			Remedy: "give it `acls`, a `route`, `default_backend` or a `listener_port`, or add it to the template: use_backend " + name,
		})
	}
	return found
}

// unreached returns the names of the groups that no rule selects. A rule whose backend
// depends on the request may select any group, unless it asks one of our maps.
func unreached(backends []haproxy.Backend, rendered []byte, maps []haproxy.Map) (names []string) {
	reached := make(map[string]bool)
	for line := range strings.Lines(string(rendered)) {
		words := strings.Fields(line)
		if len(words) < 2 || words[0] != "use_backend" && words[0] != "default_backend" {
			continue
		}
		if asked := slices.IndexFunc(maps, func(m haproxy.Map) bool { return m.AsksMap(words[1]) }); asked >= 0 {
			for _, group := range maps[asked].Groups() {
				reached[group] = true
			}
			continue
		}
		if strings.Contains(words[1], "%[") {
			return nil
		}
		reached[words[1]] = true
	}
	for _, b := range backends {
		if !reached[b.Name] {
			names = append(names, b.Name)
		}
	}
	return names
}
