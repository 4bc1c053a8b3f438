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
	if o.Format == Text || o.Format == "" && isTerminal(w) {
		return slog.New(slog.NewTextHandler(printable{w}, options))
	}
	options.ReplaceAttr = withUnit
	return slog.New(slog.NewJSONHandler(printable{w}, options))
}

// withUnit formats a duration as in the configuration, "1.5s": JSON would have a number of
// nanoseconds without a unit.
func withUnit(_ []string, a slog.Attr) slog.Attr {
	if a.Value.Kind() == slog.KindDuration {
		a.Value = slog.StringValue(a.Value.Duration().String())
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
