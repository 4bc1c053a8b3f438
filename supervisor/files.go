package supervisor

import (
	"errors"
	"fmt"
	"io/fs"
	"os"

	"github.com/haproxy-zk/haproxy-zk/ownfile"
)

// openOwn opens a regular file that belongs to this user or to root. For any other
// file the error says what to do.
func openOwn(path string, flags int, mode fs.FileMode) (*os.File, error) {
	f, err := ownfile.Opener{}.Open(path, flags, mode)
	return f, advise(err)
}

// readOwn returns at most limit bytes of a file opened by [openOwn].
func readOwn(path string, limit int64) ([]byte, error) {
	text, err := ownfile.Opener{}.Read(path, limit)
	return text, advise(err)
}

func advise(err error) error {
	if _, refused := errors.AsType[*ownfile.Refusal](err); refused {
		return fmt.Errorf("%w: remove it, or name another file", err)
	}
	return err
}
