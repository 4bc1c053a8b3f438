package hactl

import (
	"context"
	"errors"
	"slices"

	"github.com/haproxy-zk/haproxy-zk/registry"
)

// So many who are guilty are looked for in one reload, and at a start that would have
// nobody else. If there are more it is the configuration.
const bisections, bisectionsAtStart = 3, 20

// bisection finds out who of the suspects is guilty, that is whom HAProxy does not
// accept beside the others, and leaves a generation running that has as many of these
// as it came to. A launch that is refused costs nothing but time.
type bisection struct {
	c     *Controller
	cause string
	most  int // so many guilty are looked for

	left     []*group // those not found guilty; first those that the HAProxy before had
	ran      int      // so many these are: they are accepted rather, and needed most
	accepted int      // so many of left are in the generation that was started last
	guilty   []*group

	// What started, with the slots of its groups; nil when nothing has.
	pids   []int
	tables []*Table
}

func (c *Controller) bisect(cause string, suspects []*group) *bisection {
	b := &bisection{c: c, cause: cause, most: bisections}
	b.left = slices.DeleteFunc(slices.Clone(suspects), func(g *group) bool { return !g.ran })
	b.ran = len(b.left)
	b.left = append(b.left, slices.DeleteFunc(slices.Clone(suspects), func(g *group) bool { return g.ran })...)
	if setAside(b.left, true); !c.serves() {
		b.most = bisectionsAtStart
	}
	return b
}

// run returns an error if nothing was started.
func (b *bisection) run(ctx context.Context) error {
	err := b.search(ctx)
	switch {
	case b.accepted > 0:
		b.lay(b.accepted) // whatever failed after it: this is what runs
		return nil
	case err != nil || b.pids != nil:
		return err
	}
	refused, err := b.try(ctx, 0)
	if refused {
		return registry.ErrRefused
	}
	return err
}

// search finds one after the other, until HAProxy accepts all that are left.
func (b *bisection) search(ctx context.Context) error {
	for range b.most {
		if err := b.narrow(ctx); err != nil {
			return err
		}
		if b.accepted == len(b.left) {
			return nil
		}
		b.convict()
		if b.accepted > 0 && b.accepted == len(b.left) {
			return nil
		}
		if refused, err := b.try(ctx, len(b.left)); err != nil || !refused {
			return err
		}
	}
	return nil
}

// narrow halves until the first one behind those that are accepted is the guilty one.
func (b *bisection) narrow(ctx context.Context) error {
	for refused := len(b.left); refused-b.accepted > 1; {
		middle := (b.accepted + refused) / 2
		if b.accepted == 0 && 0 < b.ran && b.ran < refused {
			middle = b.ran
		}
		no, err := b.try(ctx, middle)
		if err != nil {
			return err
		}
		if no {
			refused = middle
		}
	}
	return nil
}

// convict takes the guilty one out.
func (b *bisection) convict() {
	g := b.left[b.accepted]
	b.guilty = append(b.guilty, g)
	g.aside = true
	b.left = slices.Delete(b.left, b.accepted, b.accepted+1)
	if g.ran {
		b.ran--
	}
}

// try starts a generation with the first n that are left.
func (b *bisection) try(ctx context.Context, n int) (refused bool, err error) {
	if b.lay(n); !b.c.serves() {
		return true, nil
	}
	_, pids, tables, err := b.c.start(ctx, b.cause)
	if errors.Is(err, registry.ErrRefused) {
		return true, nil
	}
	if err == nil {
		b.accepted, b.pids, b.tables = n, pids, tables
	}
	return false, err
}

// lay puts the first n that are left into the configuration, and the others aside.
func (b *bisection) lay(n int) {
	setAside(b.left[:n], false)
	setAside(b.left[n:], true)
}
