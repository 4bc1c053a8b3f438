package main

import (
	"strings"

	"github.com/haproxy-zk/haproxy-zk/hactl"
)

// judgeReach finds the groups that no rule of the rendered configuration leads to. A
// rule whose backend is found out by the request may lead to any.
func judgeReach(proxy string, backends []hactl.Backend, rendered []byte) []finding {
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
				Proxy: proxy, Severity: isWarning, Where: proxy + ".groups." + b.Name, Text: "no request gets here: neither it nor the template has a rule that leads to it",
				Remedy: "give it `acls`, `default_backend` or a `listener_port`, or let the template use_backend " + b.Name,
			})
		}
	}
	return found
}
