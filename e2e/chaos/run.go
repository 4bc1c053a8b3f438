package chaos

import (
	"context"
	"fmt"
	"sync"
	"time"
)

// do goes through the steps of a lane until the time is over. What goes wrong is
// noted, and the lane goes on with its next step.
func (w *world) do(ctx context.Context, steps []step, until time.Time) (errs []error) {
	for _, s := range steps {
		if wait := time.NewTimer(time.Until(w.journal.began.Add(s.at))); true {
			select {
			case <-wait.C:
			case <-ctx.Done():
				wait.Stop()
				return errs
			}
		}
		if time.Now().After(until) {
			return errs // those before it took longer than was drawn
		}
		end := w.journal.begin(s)
		err := s.fault.do(ctx, w, s)
		end(err)
		if err != nil {
			errs = append(errs, fmt.Errorf("%s/%s: %w", s.lane, s.fault.name, err))
		}
	}
	return errs
}

// disturb lets everything go wrong that was drawn, until the time is over and each
// fault has ended.
func (w *world) disturb(ctx context.Context, plan [][]step, total time.Duration) (errs []error) {
	w.journal.start()
	until := w.journal.began.Add(total)
	var all sync.WaitGroup
	var mu sync.Mutex
	for _, steps := range plan {
		all.Go(func() {
			failed := w.do(ctx, steps, until)
			mu.Lock()
			defer mu.Unlock()
			errs = append(errs, failed...)
		})
	}
	all.Wait()
	return errs
}
