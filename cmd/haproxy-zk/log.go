package main

import (
	"io"
	"log/slog"
	"os"

	"golang.org/x/sys/unix"
)

// newLogger returns a logger of the process: text on a terminal, else json.
func newLogger(s settings, w io.Writer) *slog.Logger {
	options := &slog.HandlerOptions{Level: s.level()}
	if s.LogFormat == "text" || s.LogFormat == "" && isTerminal(w) {
		return slog.New(slog.NewTextHandler(printable{w}, options))
	}
	return slog.New(slog.NewJSONHandler(printable{w}, options))
}

func isTerminal(w io.Writer) bool {
	switch o := w.(type) {
	case *output:
		w = o.to
	case spare:
		w = o.to
	}
	f, isFile := w.(*os.File)
	if !isFile {
		return false
	}
	_, err := unix.IoctlGetTermios(int(f.Fd()), unix.TCGETS)
	return err == nil
}
