package report

// Format is how results are shown. Not every command has each.
type Format string

// The formats.
const (
	Table Format = "table"
	Wide  Format = "wide" // a table with more columns
	JSON  Format = "json" // as the HTTP API answers it
	Names Format = "name" // one name a line
	Text  Format = "text"
)
