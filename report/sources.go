package report

import (
	"strings"

	"github.com/haproxy-zk/haproxy-zk/query"
)

const (
	// connected and readable are what /readyz says of a ZooKeeper, and of a directory, that
	// can be reached.
	connected, readable = "connected", "readable"

	// slowZooKeeper is a round trip, in seconds, that is a problem.
	slowZooKeeper = 0.5
)

// source is where a proxy reads instances. One that has them in the configuration alone
// has none.
type source struct {
	name, of string // zookeeper, ZooKeeper
	text     string
	reached  bool
	slow     bool
}

func sourcesOf(c query.Condition) (all []source) {
	if c.ZooKeeper != "" {
		text := c.ZooKeeper
		if c.Server != "" {
			text += " to " + c.Server
		}
		if c.RoundTrip > 0 {
			text += ", its latest answer took " + seconds(c.RoundTrip)
		}
		all = append(all, source{name: "zookeeper", of: "ZooKeeper", text: text, reached: c.ZooKeeper == connected, slow: c.RoundTrip >= slowZooKeeper})
	}
	if c.Directory != "" {
		all = append(all, source{name: "directory", of: "the directory", text: c.Directory, reached: c.Directory == readable})
	}
	return all
}

// readFrom returns from where a proxy reads instances, in words.
func readFrom(c query.Condition) string {
	var names []string
	for _, s := range sourcesOf(c) {
		names = append(names, s.of)
	}
	if len(names) == 0 {
		return "its source"
	}
	return strings.Join(names, " and ")
}
