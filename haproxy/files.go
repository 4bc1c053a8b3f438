package haproxy

import (
	"strconv"
	"strings"
)

// Files returns how many file descriptors one process of a rendered configuration may
// use, and how many it needs. It needs one for each occupied slot, whose server it
// checks, and a reserve; it may also use one for each other slot, and two for each
// connection of the global maxconn. slots is the number of all slots of all backends.
func Files(config []byte, slots, occupied int) (wanted, needed uint64) {
	section, maxconn := "", uint64(0)
	for line := range strings.Lines(string(config)) {
		words := strings.Fields(line)
		if len(words) == 0 {
			continue
		}
		switch words[0] {
		case "global", "defaults", "frontend", "backend", "listen":
			section = words[0]
		case "maxconn":
			if section != "global" || len(words) != 2 {
				continue
			}
			if n, err := strconv.ParseUint(words[1], 10, 32); err == nil {
				maxconn = n
			}
		}
	}
	return ReservedFiles(slots) + 2*maxconn, ReservedFiles(occupied)
}

// fileReserve is for listeners, sockets and files that HAProxy opens itself.
const fileReserve = 500

// ReservedFiles returns how many file descriptors of one process are not for connections:
// one for each slot, whose server may be checked later, and a reserve.
func ReservedFiles(slots int) uint64 { return fileReserve + uint64(slots) } //nolint:gosec // a count is not negative
