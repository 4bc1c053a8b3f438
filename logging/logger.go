package logging

import (
	"io"
	"log/slog"
	"os"

	"golang.org/x/sys/unix"
)

// The formats of a log.
const (
	Text = "text"
	JSON = "json"
)

// Options are the options of a logger.
type Options struct {
	// Level is the lowest level logged; nil is [slog.LevelInfo]. It may change at any time.
	Level slog.Leveler
	// Format is [Text] or [JSON]; empty is text on a terminal, else JSON.
	Format string
}

// New returns a logger that writes each message to w as one line of printable
// characters, in one call of Write.
func New(o Options, w io.Writer) *slog.Logger {
	options := &slog.HandlerOptions{Level: o.Level}
	if !o.IsJSON(w) {
		return slog.New(slog.NewTextHandler(printable{w}, options))
	}
	options.ReplaceAttr = inSeconds
	return slog.New(slog.NewJSONHandler(printable{w}, options))
}

// IsJSON reports whether [New] returns a logger that writes JSON to w.
func (o Options) IsJSON(w io.Writer) bool {
	return o.Format == JSON || o.Format == "" && !isTerminal(w)
}

// inSeconds writes a duration as a number of seconds whose name has that unit, like a
// metric: "took_seconds":0.0125. JSON would have nanoseconds without a unit.
func inSeconds(_ []string, a slog.Attr) slog.Attr {
	if a.Value.Kind() == slog.KindDuration {
		return slog.Float64(a.Key+"_seconds", a.Value.Duration().Seconds())
	}
	return a
}

func isTerminal(w io.Writer) bool {
	switch o := w.(type) {
	case *Output:
		w = o.to
	case lowPriority:
		w = o.to
	}
	f, isFile := w.(*os.File)
	if !isFile {
		return false
	}
	_, err := unix.IoctlGetTermios(int(f.Fd()), unix.TCGETS)
	return err == nil
}
