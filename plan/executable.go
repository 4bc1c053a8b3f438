package plan

import (
	"bytes"
	"io"
	"os"
	"syscall"
	"time"
)

// executable identifies the contents of an executable, provided that upgrades replace
// the file.
type executable struct {
	dev, inode uint64
	size       int64
	modified   time.Time
	// binary is false for a script, whose behavior may change without the file.
	binary bool
}

// identify returns the executable at path, zero if it cannot be read.
func identify(path string) executable {
	f, err := os.Open(path)
	if err != nil {
		return executable{}
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return executable{}
	}
	p := executable{size: info.Size(), modified: info.ModTime()}
	if stat, known := info.Sys().(*syscall.Stat_t); known {
		p.dev, p.inode = stat.Dev, stat.Ino
	}
	const magic = "\x7fELF"
	head := make([]byte, len(magic))
	_, err = io.ReadFull(f, head)
	p.binary = err == nil && bytes.Equal(head, []byte(magic))
	return p
}
