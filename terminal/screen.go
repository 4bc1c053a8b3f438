package terminal

import (
	"io"
	"os"
	"strings"

	"github.com/mattn/go-runewidth"
	"golang.org/x/sys/unix"

	"github.com/haproxy-zk/haproxy-zk/logging"
)

// maxCell bounds a text, in bytes: nobody reads more of one in a table.
const maxCell = 4096

// Screen is where a command writes: a terminal, or a pipe or file, which gets neither
// colors nor cut lines. It belongs to one goroutine.
type Screen struct {
	to io.Writer
	// terminal is nil unless to is one.
	terminal *os.File
	color    bool
}

// NewScreen returns a screen. lookup is [os.LookupEnv]: NO_COLOR and TERM=dumb switch
// colors off.
func NewScreen(to io.Writer, lookup func(string) (string, bool)) *Screen {
	s := &Screen{to: to}
	if file, is := to.(*os.File); is {
		if _, err := unix.IoctlGetTermios(int(file.Fd()), unix.TCGETS); err == nil {
			s.terminal = file
		}
	}
	noColor, _ := lookup("NO_COLOR")
	term, _ := lookup("TERM")
	s.color = s.terminal != nil && noColor == "" && term != "dumb"
	return s
}

// IsTerminal reports whether a person looks at the screen.
func (s *Screen) IsTerminal() bool { return s.terminal != nil }

// size returns the columns and rows of the terminal, which may change at any time; 0 is
// unlimited.
func (s *Screen) size() (columns, rows int) {
	if s.terminal == nil {
		return 0, 0
	}
	size, err := unix.IoctlGetWinsize(int(s.terminal.Fd()), unix.TIOCGWINSZ)
	if err != nil {
		return 0, 0
	}
	return int(size.Col), int(size.Row)
}

// Write writes what is not for people, such as JSON, as it is.
func (s *Screen) Write(text []byte) (int, error) { return s.to.Write(text) }

// Page is what a command shows at once.
type Page struct {
	screen *Screen
	text   strings.Builder
	width  int
}

// Page begins a page for the screen as it is now.
func (s *Screen) Page() *Page {
	p := &Page{screen: s}
	p.width, _ = s.size()
	return p
}

// Show writes the page.
func (p *Page) Show() error {
	_, err := io.WriteString(p.screen.to, p.text.String())
	return err
}

// String returns the page.
func (p *Page) String() string { return p.text.String() }

// Line adds a line of text, which is wrapped between words where the terminal ends. Each
// line of it begins with indent, which is made of spaces.
func (p *Page) Line(style Style, indent, text string) {
	columns := p.width
	if columns > 0 {
		columns = max(1, columns-len(indent))
	}
	for _, line := range wrap(clean(text), columns) {
		p.text.WriteString(indent + p.screen.paint(style, line) + "\n")
	}
}

// Raw adds lines that are not for people, such as JSON, as they are.
func (p *Page) Raw(text []byte) { p.text.Write(text) }

// Gap adds an empty line.
func (p *Page) Gap() { p.text.WriteByte('\n') }

// clean returns a text as one line that is safe on a terminal.
func clean(text string) string { return logging.OneLine(text, maxCell) }

// width returns the number of columns that a text takes. Characters of ambiguous width
// take one, as on most terminals.
func width(text string) int { return condition().StringWidth(text) }

// condition does not depend on the locale: what one terminal shows is the same elsewhere.
func condition() *runewidth.Condition {
	return &runewidth.Condition{StrictEmojiNeutral: true}
}

// cut returns a text of at most so many columns; an ellipsis is where it was cut.
func cut(text string, columns int) string {
	if columns <= 0 {
		return ""
	}
	return condition().Truncate(text, columns, "…")
}

// wrap breaks a text between words into lines of at most so many columns, unless a word
// is longer; 0 is unlimited.
func wrap(text string, columns int) (lines []string) {
	if columns == 0 {
		return []string{text}
	}
	line := ""
	for word := range strings.FieldsSeq(text) {
		if line != "" && width(line)+1+width(word) > columns {
			lines, line = append(lines, line), ""
		}
		if line != "" {
			line += " "
		}
		line += word
	}
	return append(lines, line)
}
