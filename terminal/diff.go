package terminal

import "strings"

// Diff adds a unified diff: lines that are removed or added have colors. Spaces stay.
func (p *Page) Diff(text string) {
	for line := range strings.Lines(text) {
		line = strings.TrimRight(line, "\n")
		style := Plain
		switch {
		case strings.HasPrefix(line, "---"), strings.HasPrefix(line, "+++"), strings.HasPrefix(line, "@@"):
			style = Faint
		case strings.HasPrefix(line, "-"):
			style = Bad
		case strings.HasPrefix(line, "+"):
			style = Good
		}
		words := strings.Split(strings.ReplaceAll(line, "\t", "    "), " ")
		for i := range words {
			words[i] = clean(words[i])
		}
		p.text.WriteString(p.screen.paint(style, strings.Join(words, " ")))
		p.text.WriteByte('\n')
	}
}
