package hactl

import (
	"context"
	"errors"
	"sync"
)

// errDied is the cancellation cause of requests to a dead worker.
var errDied = errors.New("the worker has died")

// maxHeard is the capacity of the queue of deaths; a generation has at most 64
// processes.
const maxHeard = 256

// deaths receives the deaths of workers even while the controller waits for a reply,
// and ends that wait: the socket of a dead worker may still accept and then hang.
type deaths struct {
	heard chan int // pids of dead workers

	mu    sync.Mutex
	lives map[int]context.CancelCauseFunc
}

func newDeaths() *deaths { return &deaths{heard: make(chan int, maxHeard)} }

// collect receives deaths until ctx is done.
func (d *deaths) collect(ctx context.Context, died <-chan int) {
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

// watch returns a context for each pid of a new generation, canceled with errDied when
// that process dies. The pids of the previous generation are no longer watched.
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
