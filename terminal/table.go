package terminal

import (
	"strings"
)

// Column is a column of a [Table].
type Column struct {
	Title string
	// Right is true for numbers.
	Right bool
	// Shrinks is true for a column that gives way on a narrow terminal; those further right
	// do so first.
	Shrinks bool
}

// Cell is one cell of a [Table].
type Cell struct {
	Text  string
	Style Style
}

// Text returns a cell without a style.
func Text(text string) Cell { return Cell{Text: text} }

// Table is a table for people. Add rows, then put it on a page.
type Table struct {
	columns []Column
	rows    [][]Cell
}

// NewTable returns a table without rows.
func NewTable(columns ...Column) *Table { return &Table{columns: columns} }

// Add adds a row with a cell for each column; missing ones are empty.
func (t *Table) Add(cells ...Cell) {
	row := make([]Cell, len(t.columns))
	copy(row, cells)
	for i := range row {
		row[i].Text = clean(row[i].Text)
	}
	t.rows = append(t.rows, row)
}

// Rows returns the number of rows.
func (t *Table) Rows() int { return len(t.rows) }

const (
	gap = 2 // columns between two columns
	// least is what a column shrinks to.
	least = 6
)

// Table adds a table. Where the terminal is too narrow, columns that shrink are cut, then
// the lines.
func (p *Page) Table(t *Table) {
	widths := t.widths(p.width)
	p.row(t.columns, widths, func(i int) Cell { return Cell{Text: t.columns[i].Title, Style: Strong} })
	for _, row := range t.rows {
		p.row(t.columns, widths, func(i int) Cell { return row[i] })
	}
}

// widths returns the widths of the columns for so many columns of the terminal; 0 is
// unlimited.
func (t *Table) widths(limit int) []int {
	widths := make([]int, len(t.columns))
	total := gap * (len(t.columns) - 1)
	for i, c := range t.columns {
		widths[i] = width(c.Title)
		for _, row := range t.rows {
			widths[i] = max(widths[i], width(row[i].Text))
		}
		total += widths[i]
	}
	for i := len(widths) - 1; i >= 0 && limit > 0 && total > limit; i-- {
		if t.columns[i].Shrinks {
			fits := min(widths[i], max(least, widths[i]-(total-limit)))
			total -= widths[i] - fits
			widths[i] = fits
		}
	}
	return widths
}

func (p *Page) row(columns []Column, widths []int, cell func(int) Cell) {
	taken, pending := 0, 0 // pending are spaces that are written before the next text
	for i, c := range columns {
		shown := cell(i)
		text := cut(shown.Text, widths[i])
		before, after := 0, widths[i]-width(text)
		if c.Right {
			before, after = after, 0
		}
		pending += before
		if p.width > 0 && text != "" {
			text = cut(text, p.width-taken-pending)
		}
		if text != "" {
			p.text.WriteString(strings.Repeat(" ", pending))
			p.text.WriteString(p.screen.paint(shown.Style, text))
			taken, pending = taken+pending+width(text), 0
		}
		pending += after + gap
	}
	p.text.WriteByte('\n')
}
