package hactl

import (
	"context"
	"errors"
	"slices"

	"github.com/haproxy-zk/haproxy-zk/hactl/slots"
	"github.com/haproxy-zk/haproxy-zk/registry"
)

// The maximum number of rejected groups that one reload searches for; a start that
// would otherwise serve nothing searches longer. If there are more, the cause is
// the configuration.
const bisections, bisectionsAtStart = 3, 20

// bisection finds the candidates that HAProxy rejects and leaves a generation running
// that has as many of the others as possible. A rejected launch costs nothing but time.
type bisection struct {
	c     *Controller
	cause Cause
	most  int // maximum number of offenders to search for

	left      []*group // candidates not found to be offenders, those of the previous HAProxy first
	ran       int      // how many of left the previous HAProxy had: most likely accepted, and needed most
	accepted  int      // how many of left the last started generation has
	offenders []*group

	// The started generation and the slots of its groups; nil if none was started.
	pids   []int
	tables []*slots.Table
}

func (c *Controller) bisect(cause Cause, candidates []*group) *bisection {
	b := &bisection{c: c, cause: cause, most: bisections}
	b.left = slices.DeleteFunc(slices.Clone(candidates), func(g *group) bool { return !g.ran() })
	b.ran = len(b.left)
	b.left = append(b.left, slices.DeleteFunc(slices.Clone(candidates), func(g *group) bool { return g.ran() })...)
	if leaveOut(b.left); !c.viable() {
		b.most = bisectionsAtStart
	}
	return b
}

// run returns an error if no generation was started.
func (b *bisection) run(ctx context.Context) error {
	err := b.search(ctx)
	switch {
	case b.accepted > 0:
		b.include(b.accepted) // the running generation, whatever failed after it was started
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

// search finds one offender after another until HAProxy accepts all remaining
// candidates.
func (b *bisection) search(ctx context.Context) error {
	for range b.most {
		if err := b.narrow(ctx); err != nil {
			return err
		}
		if b.accepted == len(b.left) {
			return nil
		}
		b.suspendOffender()
		if b.accepted > 0 && b.accepted == len(b.left) {
			return nil
		}
		if refused, err := b.try(ctx, len(b.left)); err != nil || !refused {
			return err
		}
	}
	return nil
}

// narrow bisects until the candidate after the accepted ones is the offender.
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

// suspendOffender moves the offender from left to offenders.
func (b *bisection) suspendOffender() {
	g := b.left[b.accepted]
	b.offenders = append(b.offenders, g)
	g.suspend()
	b.left = slices.Delete(b.left, b.accepted, b.accepted+1)
	if g.ran() {
		b.ran--
	}
}

// try starts a generation with the first n remaining candidates.
func (b *bisection) try(ctx context.Context, n int) (refused bool, err error) {
	if b.include(n); !b.c.viable() {
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

// include puts the first n remaining candidates into the configuration and leaves out
// the others.
func (b *bisection) include(n int) {
	letIn(b.left[:n])
	leaveOut(b.left[n:])
}
