package files

import (
	"errors"
	"fmt"
	"io/fs"

	"github.com/haproxy-zk/haproxy-zk/decode"
	"github.com/haproxy-zk/haproxy-zk/registry"
)

// contents reads the content of a group's files, as far as their format needs it.
type contents struct {
	group   *group
	decoder decode.Decoder
	room    int64 // bytes that may still be read
	// sampled is true if a file was read whose name may say everything, telling if it does
	// not.
	sampled, telling bool
}

// of returns the content of a file; nil if it is not needed.
func (c *contents) of(in *folder, name string, l *listing) []byte {
	switch c.decoder.Needs(name) {
	case decode.Always:
		return c.read(in, name, l)
	case decode.Sample:
		if c.sampled && !c.telling {
			return nil
		}
		data := c.read(in, name, l)
		c.telling = c.telling || decode.Telling(data)
		c.sampled = true
		return data
	}
	return nil
}

// read returns the content of a file, or its last known content if it cannot be read now.
func (c *contents) read(in *folder, name string, l *listing) []byte {
	data, err := in.read(name, min(maxData, c.room))
	if err != nil {
		l.found.Add(name, registry.Finding{Kind: registry.Unreadable, Problem: reason(err), Remedy: "let haproxy-zk read it, or delete it; it is used as it was read last"})
		data = c.group.data[name]
	}
	c.room -= int64(len(data))
	if l.data == nil {
		l.data = make(map[string][]byte)
	}
	l.data[name] = data
	return data
}

// reason returns why a file cannot be read, without its name.
func reason(err error) string {
	if path, ok := errors.AsType[*fs.PathError](err); ok {
		err = path.Err
	}
	if errors.Is(err, fs.ErrPermission) {
		return "no permission to read the file"
	}
	return fmt.Sprintf("the file cannot be read: %v", err)
}
