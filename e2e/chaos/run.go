package chaos

import (
	"context"
	"fmt"
	"sync"
	"time"
)

// do goes through the steps of a lane until the time is over. What goes wrong is
// told, and the lane goes on with its next step.
func (w *world) do(ctx context.Context, steps []step, until time.Time, tell func(error)) {
	for _, s := range steps {
		wait(ctx, time.Until(w.journal.began.Add(s.at)))
		if ctx.Err() != nil || time.Now().After(until) {
			return // those before it took longer than was drawn
		}
		end := w.journal.begin(s)
		err := s.fault.do(ctx, w, s)
		end(err)
		if err != nil {
			tell(fmt.Errorf("%s/%s from %s on: %w", s.lane, s.fault.name, s.at, err))
		}
	}
}

// disturb lets everything go wrong that was drawn, until the time is over and each
// fault has ended.
func (w *world) disturb(ctx context.Context, plan [][]step, total time.Duration, tell func(error)) {
	w.journal.start()
	until := w.journal.began.Add(total)
	var all sync.WaitGroup
	for _, steps := range plan {
		all.Go(func() { w.do(ctx, steps, until, tell) })
	}
	all.Wait()
}
