package intake

import (
	"iter"
	"slices"
	"sync"
)

// Running has the sources of one kind that run for each proxy: one, or two while a proxy
// changes its source. The zero value is empty; any goroutine may call its methods.
type Running[S comparable] struct {
	mu  sync.Mutex
	all map[string][]S // by proxy, in the order of their start
}

// Add adds a source that starts.
func (r *Running[S]) Add(proxy string, source S) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.all == nil {
		r.all = make(map[string][]S)
	}
	r.all[proxy] = append(r.all[proxy], source)
}

// Remove removes one that has ended. If it was the last of its proxy, it calls over before
// another can be added.
func (r *Running[S]) Remove(proxy string, source S, over func()) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.all[proxy] = slices.DeleteFunc(r.all[proxy], func(other S) bool { return other == source })
	if len(r.all[proxy]) == 0 {
		delete(r.all, proxy)
		over()
	}
}

// Latest returns the source that started last, of each proxy.
func (r *Running[S]) Latest() iter.Seq2[string, S] {
	return func(yield func(string, S) bool) {
		r.mu.Lock()
		defer r.mu.Unlock()
		for proxy, all := range r.all {
			if !yield(proxy, all[len(all)-1]) {
				return
			}
		}
	}
}
