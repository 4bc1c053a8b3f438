package chaos

import (
	"context"
	"fmt"
	"sync"
	"time"
)

// do runs the steps of a lane until the time is over. Errors are reported, and the lane
// continues with its next step.
func (w *world) do(ctx context.Context, steps []step, until time.Time, report func(error)) {
	for _, s := range steps {
		wait(ctx, time.Until(w.journal.began.Add(s.at)))
		if ctx.Err() != nil || time.Now().After(until) {
			return // earlier steps took longer than drawn
		}
		end := w.journal.begin(s)
		err := s.fault.do(ctx, w, s)
		end(err)
		if err != nil {
			report(fmt.Errorf("%s/%s from %s on: %w", s.lane, s.fault.name, s.at, err))
		}
	}
}

// disturb runs all lanes until the time is over and each fault has ended.
func (w *world) disturb(ctx context.Context, plan [][]step, total time.Duration, report func(error)) {
	w.journal.start()
	until := w.journal.began.Add(total)
	var all sync.WaitGroup
	for _, steps := range plan {
		all.Go(func() { w.do(ctx, steps, until, report) })
	}
	all.Wait()
}
