package files

import (
	"context"
	"time"

	"github.com/haproxy-zk/haproxy-zk/decode"
	"github.com/haproxy-zk/haproxy-zk/intake"
)

// resolvePatience is how long the lists that are due wait, together, for the addresses of
// new host names. Those that take longer follow.
const resolvePatience = 2 * time.Second

// decode decodes the children of a group, follows their host names, and waits for the new
// ones.
func (d *Directory) decode(ctx context.Context, g *group, l listing) []intake.Child {
	decoder := d.options.Decoder(g.name)
	children := make([]intake.Child, len(l.children))
	for i, c := range l.children {
		r, reason := decoder.Decode(c.name, c.data)
		children[i] = intake.Child{Name: c.name, Registration: r, Reason: reason}
	}
	g.moved.Store(false)
	began := time.Now()
	intake.Resolve(ctx, g.hosts, children, d.patience)
	d.patience -= time.Since(began)
	return children
}

// noteMoved records that the address of one of a group's host names has changed. Any
// goroutine may call it.
func (d *Directory) noteMoved(g *group) {
	g.moved.Store(true)
	select {
	case d.resolved <- struct{}{}:
	default:
	}
}

// rereadMoved marks the groups whose addresses have changed to be read.
func (d *Directory) rereadMoved() {
	for _, g := range d.groups {
		if g.moved.Swap(false) {
			g.set(time.Now())
		}
	}
}

// needs returns whether the content of a group's file has to be read.
func (d *Directory) needs(group, file string) decode.Need {
	return d.options.Decoder(group).Needs(file)
}
