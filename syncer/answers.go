package syncer

import (
	"encoding/binary"
	"fmt"
	"io"
	"math"

	"github.com/go-zookeeper/zk"
)

// shortest is the length of an answer that is nothing but its head.
const shortest = offsetError + 4 - offsetNumber

// codeTooLong is the error of an answer that is too long: [zk.ErrAPIError], which
// no server sends.
const codeTooLong = -100

// errTooLong is that error in words.
var errTooLong = fmt.Errorf("the list is longer than %d MB: delete what is no instance", maxAnswer>>20)

// answers reads what a server answers. An answer longer than maxAnswer becomes an
// error of that request: the library would end the connection that all groups
// share, and ask the same again over the next one.
type answers struct {
	from io.Reader
	each func(number, code uint32) // is called with every answer

	head    [offsetError + 4]byte
	ready   []byte // what of head is not handed over yet
	left    int    // bytes behind it that are
	surplus int64  // bytes behind it that nobody gets
}

func (a *answers) Read(p []byte) (int, error) {
	if len(a.ready) == 0 && a.left == 0 {
		if err := a.next(); err != nil {
			return 0, err
		}
	}
	if len(a.ready) > 0 {
		n := copy(p, a.ready)
		a.ready = a.ready[n:]
		return n, nil
	}
	n, err := a.from.Read(p[:min(len(p), a.left)])
	a.left -= n
	return n, err
}

// next reads the head of an answer.
func (a *answers) next() error {
	if _, err := io.CopyN(io.Discard, a.from, a.surplus); err != nil {
		return err
	}
	a.surplus = 0
	if _, err := io.ReadFull(a.from, a.head[:offsetNumber]); err != nil {
		return err
	}
	length := binary.BigEndian.Uint32(a.head[:])
	switch {
	case length > math.MaxInt32:
		return fmt.Errorf("an answer of %d bytes is none", int32(length))
	case length < shortest:
		a.ready, a.left = a.head[:offsetNumber], int(length)
		return nil
	}
	if _, err := io.ReadFull(a.from, a.head[offsetNumber:]); err != nil {
		return err
	}
	a.ready, a.left = a.head[:], int(length)-shortest
	if length > maxAnswer {
		a.left, a.surplus = 0, int64(a.left)
		binary.BigEndian.PutUint32(a.head[:], shortest)
		code := int32(codeTooLong)
		binary.BigEndian.PutUint32(a.head[offsetError:], uint32(code))
	}
	a.each(binary.BigEndian.Uint32(a.head[offsetNumber:]), binary.BigEndian.Uint32(a.head[offsetError:]))
	return nil
}

// tooLong puts the error of an answer that was too long into words.
func tooLong(err error) error {
	if err == zk.ErrAPIError { //nolint:errorlint // the library returns it as it is
		return errTooLong
	}
	return err
}
