package ui

import (
	"crypto/sha256"
	"encoding/hex"
	"slices"
	"strings"
)

// sheet is a part of the page that follows changes: an element with an id, and its rows.
type sheet struct {
	id   string
	rows []row
}

// row is an element of a sheet. Its cells are elements.
type row struct {
	// key is its id, which no other element of the page has.
	key, tag, class string
	cells           []string
}

// html returns the whole element.
func (r *row) html() string {
	return "<" + r.tag + ` id="` + r.key + `" class="` + r.class + `">` + strings.Join(r.cells, "") + "</" + r.tag + ">"
}

// Sheets are all sheets of a page. They are immutable.
type Sheets struct {
	list []sheet
}

// Mark identifies the content: a page and a stream that have the same show the same.
func (s *Sheets) Mark() string {
	sum := sha256.New()
	for _, sh := range s.list {
		for i := range sh.rows {
			_, _ = sum.Write([]byte(sh.id + "\x00" + sh.rows[i].html() + "\x00"))
		}
	}
	return hex.EncodeToString(sum.Sum(nil)[:8])
}

// patch is what has changed of a sheet.
type patch struct {
	// Order are the keys of all rows, if these are not the same as before, or in another
	// order.
	Order []string `json:"o,omitempty"`
	// New are rows that were not there.
	New map[string]string `json:"n,omitempty"`
	// Class are classes of rows that have another one, Cells the changed cells by index.
	Class map[string]string         `json:"k,omitempty"`
	Cells map[string]map[int]string `json:"c,omitempty"`
}

// Since returns what has changed since earlier sheets, which may be nil, as JSON on one
// line: an object of patches by the ids of sheets. It is nil if nothing has changed.
func (s *Sheets) Since(before *Sheets) []byte {
	patches := make(map[string]*patch)
	for i, sh := range s.list {
		var old sheet
		if before != nil {
			old = before.list[i]
		}
		if p := sh.since(old); p != nil {
			patches[sh.id] = p
		}
	}
	if len(patches) == 0 {
		return nil
	}
	return appendJSON(patches)
}

func (sh *sheet) since(old sheet) *patch {
	p := &patch{New: make(map[string]string), Class: make(map[string]string), Cells: make(map[string]map[int]string)}
	known := make(map[string]*row, len(old.rows))
	for i := range old.rows {
		known[old.rows[i].key] = &old.rows[i]
	}
	for i := range sh.rows {
		r := &sh.rows[i]
		was := known[r.key]
		if was == nil || len(was.cells) != len(r.cells) {
			p.New[r.key] = r.html()
			continue
		}
		if r.class != was.class {
			p.Class[r.key] = r.class
		}
		for n, cell := range r.cells {
			if cell != was.cells[n] {
				if p.Cells[r.key] == nil {
					p.Cells[r.key] = make(map[int]string)
				}
				p.Cells[r.key][n] = cell
			}
		}
	}
	moved := !slices.EqualFunc(sh.rows, old.rows, func(a, b row) bool { return a.key == b.key })
	if moved {
		p.Order = make([]string, len(sh.rows))
		for i := range sh.rows {
			p.Order[i] = sh.rows[i].key
		}
	}
	if !moved && len(p.New)+len(p.Class)+len(p.Cells) == 0 {
		return nil
	}
	return p
}
