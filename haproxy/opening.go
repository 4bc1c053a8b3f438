package haproxy

import (
	"slices"
	"strings"
)

// Opening returns keyword and name of what the last of the lines of a rendered
// configuration belongs to: its own if it is a rule that names a group, else those that
// open its section. Both are empty if there is none.
func Opening(lines []string) (keyword, name string) {
	for i, line := range slices.Backward(lines) {
		words := strings.Fields(line)
		if len(words) < 2 {
			continue
		}
		switch words[0] {
		case "acl", "use_backend", "default_backend":
			if i == len(lines)-1 {
				return words[0], words[1]
			}
		case "backend", "frontend", "global", "listen", "defaults":
			return words[0], words[1]
		}
	}
	return "", ""
}
