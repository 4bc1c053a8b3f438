package haproxy

import (
	"slices"
	"time"
)

// defaultInter is HAProxy's interval between two checks of a server.
const defaultInter = 2 * time.Second

// checkPace is how often the servers of a group are checked: inter apart, or downInter
// while they are down, which is 0 if it is not set.
type checkPace struct {
	checked          bool
	inter, downInter time.Duration
}

// paceOf returns the pace of the servers that lines configure. Times that are not
// understood, such as variables, are left out.
func paceOf(lines []groupLine) checkPace {
	pace := checkPace{inter: defaultInter}
	for _, l := range lines {
		if !l.configuresServers() {
			continue
		}
		for i, word := range l.words {
			period, ok := parsePeriod(argument(l.words, i+1))
			switch {
			case word == "check":
				pace.checked = true
			case word == "no-check":
				pace.checked = false
			case word == "inter" && ok:
				pace.inter = period
			case word == "downinter" && ok:
				pace.downInter = period
			}
		}
	}
	return pace
}

// renderCheckSpread renders within what time HAProxy checks all servers for the first time.
// By default it spreads the first checks of free slots, which are down, over `downinter`: an
// instance that enters one soon after would take requests unchecked for as long, or wait
// for its first check with `wait_check`. Later checks are `inter` apart.
func (t *Template) renderCheckSpread(out *page, f Frame, backends []Backend) {
	if len(t.Global("max-spread-checks")) > 0 {
		return
	}
	if f.Discovered != nil {
		backends = append(slices.Clip(backends), *f.Discovered)
	}
	var spread time.Duration
	for _, b := range backends {
		pace := paceOf(groupLines(t, b))
		if pace.checked && pace.downInter > pace.inter && (spread == 0 || pace.inter < spread) {
			spread = pace.inter
		}
	}
	if spread >= time.Millisecond {
		out.linef("max-spread-checks %d", spread.Milliseconds())
	}
}
