package plan

import (
	"fmt"
	"slices"
	"strings"

	"github.com/haproxy-zk/haproxy-zk/config"
)

// UnmeasuredReason returns why latency_histogram stays empty although a group asks for
// it, with a remedy; empty if it does not, or if none asks.
func (pl *Plan) UnmeasuredReason() (reason, remedy string) {
	wants := func(g config.Group) bool { return g.LatencyHistogram }
	if !slices.ContainsFunc(pl.Groups, wants) && (pl.Discover == nil || !wants(pl.Discover.Entry)) {
		return "", ""
	}
	if pl.LogSocket == "" {
		return "the template does not log to " + pl.ownLogSocket,
			fmt.Sprintf("add `log %s local0` to its global section, `log global` and `option httplog` (tcp: tcplog) to its defaults", pl.ownLogSocket)
	}
	for line := range strings.Lines(string(pl.Render())) {
		words := strings.Fields(line)
		if len(words) == 0 {
			continue
		}
		if words[0] == "log-format" {
			return "", "" // it may begin like one of the options
		}
		if len(words) > 1 && words[0] == "option" && slices.Contains([]string{"httplog", "httpslog", "tcplog"}, words[1]) && !slices.Contains(words, "clf") {
			return "", ""
		}
	}
	return "the template logs no requests",
		"add `log global` and `option httplog` (tcp: tcplog) to its defaults"
}
