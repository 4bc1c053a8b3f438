package check

import (
	"strings"

	"github.com/haproxy-zk/haproxy-zk/haproxy"
)

// judgeReach finds the groups that no rule of the rendered configuration selects. A
// rule whose backend depends on the request may select any group.
func judgeReach(proxy string, backends []haproxy.Backend, rendered []byte) []finding {
	reached := make(map[string]bool)
	for line := range strings.Lines(string(rendered)) {
		words := strings.Fields(line)
		if len(words) < 2 || words[0] != "use_backend" && words[0] != "default_backend" {
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
				Remedy: "give it `acls`, `default_backend` or a `listener_port`, or add it to the template: use_backend " + b.Name,
			})
		}
	}
	return found
}
