package hactl

import (
	"context"
	"errors"
	"sync"
)

// errDied is why a worker is not waited for any more.
var errDied = errors.New("the worker has died")

// maxHeard is how many deaths wait to be taken in; a generation has at most 64
// processes.
const maxHeard = 256

// deaths hears of workers that died also while the controller waits for an answer,
// and ends the waiting: the socket of a dead worker may still accept, and hang.
type deaths struct {
	heard chan int // their pids

	mu    sync.Mutex
	lives map[int]context.CancelCauseFunc
}

func newDeaths() *deaths { return &deaths{heard: make(chan int, maxHeard)} }

// hear listens until ctx is done.
func (d *deaths) hear(ctx context.Context, died <-chan int) {
	for {
		select {
		case <-ctx.Done():
			return
		case pid := <-died:
			d.end(pid)
			select {
			case d.heard <- pid:
			case <-ctx.Done():
				return
			}
		}
	}
}

func (d *deaths) end(pid int) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if end := d.lives[pid]; end != nil {
		end(errDied)
	}
}

// watch returns a context for each of the pids of a generation that is new, done
// with the cause errDied once that process has died. Those of the generation before
// are watched no longer.
func (d *deaths) watch(pids []int) map[int]context.Context {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.lives = make(map[int]context.CancelCauseFunc, len(pids))
	lives := make(map[int]context.Context, len(pids))
	for _, pid := range pids {
		lives[pid], d.lives[pid] = context.WithCancelCause(context.Background())
	}
	return lives
}
