package check

import (
	"slices"
	"strings"

	"github.com/haproxy-zk/haproxy-zk/haproxy"
)

// judgeReach finds the groups that no rule of the rendered configuration selects. A
// rule whose backend depends on the request may select any group, unless it asks one of
// our maps.
func judgeReach(proxy string, backends []haproxy.Backend, rendered []byte, maps []haproxy.Map) []finding {
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
	var found []finding
	for _, b := range backends {
		if !reached[b.Name] {
			found = append(found, finding{
				Proxy: proxy, Severity: isWarning, Where: proxy + ".groups." + b.Name, Text: "unreachable: no use_backend or default_backend selects this group",
				Remedy: "give it `acls`, a `route`, `default_backend` or a `listener_port`, or add it to the template: use_backend " + b.Name,
			})
		}
	}
	return found
}
