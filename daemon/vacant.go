package daemon

import (
	"context"
	"time"

	"github.com/haproxy-zk/haproxy-zk/plan"
)

const (
	// letGoWithin is how long a listener may stay open after a reload has removed it.
	letGoWithin = 2 * time.Second
	// letGoEvery is how often it is looked whether it still is.
	letGoEvery = 50 * time.Millisecond
)

// vacant returns an error if another process listens on an address that the plans add. It
// may be called from any goroutine.
func (r *factory) vacant(ctx context.Context, plans []*plan.Plan) error {
	var added []plan.Listen
	for _, pl := range plans {
		added = append(added, plan.Listens(pl.Render())...)
	}
	var own []plan.Listen
	for _, pl := range *r.arranged.Load() {
		own = append(own, pl.Listening()...)
	}
	err := plan.Vacant(added, own)
	for begun := time.Now(); err != nil && time.Since(begun) < letGoWithin; {
		select {
		case <-time.After(letGoEvery):
		case <-ctx.Done():
			return ctx.Err()
		}
		err = plan.Vacant(added, own)
	}
	return err
}
