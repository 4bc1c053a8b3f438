package state

import (
	"errors"
	"fmt"

	"github.com/haproxy-zk/haproxy-zk/ownfile"
)

// readOwn returns the text of a file that belongs to this user or to root and is not too
// long: the writer of the file decides which instances get the requests.
func readOwn(path string) ([]byte, error) {
	text, err := ownfile.Opener{}.Read(path, maxFile)
	if errors.Is(err, ownfile.ErrTooLong) {
		return nil, errTooBig
	}
	if refusal, refused := errors.AsType[*ownfile.Refusal](err); refused {
		return nil, fmt.Errorf("it %s; remove it, or use another STATE_DIR", refusal.Reason)
	}
	return text, err
}
