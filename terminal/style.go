package terminal

// Style is how a text is shown where colors are seen. The text says the same without.
type Style uint8

// The styles.
const (
	Plain Style = iota
	Good
	Bad
	Warning
	Faint
	Strong
)

// paint returns a text in a style.
func (s *Screen) paint(style Style, text string) string {
	if !s.color || text == "" || style == Plain {
		return text
	}
	code := map[Style]string{Good: "32", Bad: "31;1", Warning: "33", Faint: "2", Strong: "1"}[style]
	return "\x1b[" + code + "m" + text + "\x1b[0m"
}
