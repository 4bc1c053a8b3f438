package files

import "strings"

const (
	// listSuffix ends the name of a file that lists the instances of a group.
	listSuffix = ".instances"
	// maxList bounds such a file: that of a ConfigMap.
	maxList = 1 << 20
)

// child is what one file or one line registers.
type child struct {
	name string
	data []byte
}

// parseList returns the children that the lines of a file register: the first word of each
// is the name, the rest the data. Empty lines and those that begin with # are ignored.
func parseList(text []byte) (children []child) {
	for line := range strings.Lines(string(text)) {
		line = strings.TrimSpace(strings.ReplaceAll(line, "\x00", " "))
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		name, data := line, ""
		if i := strings.IndexAny(line, " \t"); i >= 0 {
			name, data = line[:i], strings.TrimSpace(line[i:])
		}
		c := child{name: name}
		if data != "" {
			c.data = []byte(data)
		}
		children = append(children, c)
	}
	return children
}
