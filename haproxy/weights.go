package haproxy

import (
	"slices"
	"strconv"
)

// FullWeight is the weight that servers of a group are rendered with if their instances
// may register weights: shares of it are then whole numbers.
const FullWeight = 100

// fewWeights is the smallest configured weight of which shares differ.
const fewWeights = 2

// FullWeight returns the configured weight of a group's servers, of which registered
// weights are percentages. It is 0 if its shares cannot be set: HAProxy's default is 1, and
// static algorithms take no weights but 0 and 100 %.
func (t *Template) FullWeight(b Backend) (full int) {
	lines := groupLines(t, b)
	for _, l := range lines {
		if !l.configuresServers() {
			continue
		}
		if i := slices.Index(l.words, "weight"); i >= 0 && i+1 < len(l.words) {
			if n, err := strconv.Atoi(l.words[i+1]); err == nil && n >= fewWeights && n <= int(maxWeight) {
				full = n
			}
		}
	}
	l, found := effective(lines, "balance")
	if found && (len(l.words) < 2 || !hasAnyPrefix(l.words[1], "roundrobin", "leastconn", "random")) {
		return 0
	}
	return full
}

// Share returns a percentage of a configured weight as a weight; 0 percent and 100 percent
// are the configured one, and so is any share of a weight that has none.
func Share(full, percent int) Weight {
	if full < fewWeights || percent == 0 {
		return 0
	}
	share := Weight(min(max((full*percent+50)/100, 1), int(maxWeight)))
	if int(share) == full {
		return 0
	}
	return share
}
