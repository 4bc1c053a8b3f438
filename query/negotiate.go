package query

import "strings"

// matches reports whether one of the entity tags in If-None-Match is tag, by the weak
// comparison of RFC 9110, section 8.8.3.2. What follows a malformed tag is ignored, so
// that its client gets the whole answer.
func matches(values []string, tag string) bool {
	tag = strings.TrimPrefix(tag, "W/")
	for _, list := range values {
		for {
			list = strings.TrimLeft(list, " \t,")
			if list == "*" {
				return true
			}
			opaque, ok := strings.CutPrefix(strings.TrimPrefix(list, "W/"), `"`)
			end := strings.IndexByte(opaque, '"')
			if !ok || end < 0 {
				break
			}
			if opaque[:end] == tag[1:len(tag)-1] {
				return true
			}
			list = opaque[end+1:]
		}
	}
	return false
}
