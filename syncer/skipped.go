package syncer

import (
	"log/slog"
	"strconv"
)

const (
	maxComplained = 256 // names remembered for one group
	maxComplaints = 5   // names logged after one read
)

// complaints remembers the skipped names of one group that were logged, as long
// as they stay registered. Names beyond the first few hundred are only counted.
type complaints map[string]struct{}

// update forgets the names that left and returns those to complain of now.
func (c *complaints) update(skipped []string) (fresh []string) {
	next := make(complaints)
	for _, name := range skipped {
		if _, known := (*c)[name]; known {
			next[name] = struct{}{}
		}
	}
	for _, name := range skipped {
		if _, known := next[name]; !known && len(next) < maxComplained {
			next[name] = struct{}{}
			fresh = append(fresh, name)
		}
	}
	*c = next
	return fresh
}

func complain(log *slog.Logger, fresh []string) {
	for i, name := range fresh {
		if i == maxComplaints {
			log.Warn("more names skipped", "count", len(fresh)-i)
			return
		}
		_, err := Decode(name)
		log.Warn("name skipped, it is no instance", "name", quote(name), "reason", err)
	}
}

// quote makes a name from outside harmless in a log line.
func quote(name string) string {
	if len(name) > maxName {
		return strconv.Quote(name[:maxName]) + "..."
	}
	return strconv.Quote(name)
}
