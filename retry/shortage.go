package retry

import (
	"errors"

	"golang.org/x/sys/unix"
)

// NoDescriptor reports whether an operation failed because this process, or the whole
// machine, is out of file descriptors: the peer is not at fault.
func NoDescriptor(err error) bool { return errors.Is(err, unix.EMFILE) || errors.Is(err, unix.ENFILE) }
