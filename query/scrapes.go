package query

import (
	"container/list"
	"context"
	"net/http"
	"sync"
	"time"
)

const (
	// maxScrapes bounds the concurrent scrapes: gathering metrics costs more than any
	// other answer.
	maxScrapes = 40
	// At the limit, a scrape that takes longer than scrapePatience is cut for the next one,
	// which waits at most scrapeWait.
	scrapePatience = time.Second
	scrapeWait     = 5 * time.Second
)

// scrapes limits concurrent scrapes. Clients that do not read make way for others.
type scrapes struct {
	slots chan struct{} // of maxScrapes

	mu      sync.Mutex
	running list.List // of scrape; longest first
}

type scrape struct {
	answer *http.ResponseController
	begun  time.Time
}

func newScrapes() *scrapes { return &scrapes{slots: make(chan struct{}, maxScrapes)} }

func (s *scrapes) handle(metrics http.Handler, w http.ResponseWriter, r *http.Request) {
	if !s.enter(r.Context()) {
		refuse(w, http.StatusServiceUnavailable, problem{Error: "too many concurrent scrapes: retry later"})
		return
	}
	defer func() { <-s.slots }()
	element := s.add(http.NewResponseController(w))
	defer s.remove(element)
	metrics.ServeHTTP(w, r)
}

// enter waits for a slot and reports whether it got one.
func (s *scrapes) enter(ctx context.Context) bool {
	ctx, cancel := context.WithTimeout(ctx, scrapeWait)
	defer cancel()
	for {
		wait := time.NewTimer(s.cut())
		select {
		case s.slots <- struct{}{}:
			wait.Stop()
			return true
		case <-wait.C:
		case <-ctx.Done():
			wait.Stop()
			return false
		}
	}
}

// cut ends the longest scrape if all slots are taken and it takes too long. It returns
// when to check again.
func (s *scrapes) cut() time.Duration {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.slots) < cap(s.slots) || s.running.Len() == 0 {
		return scrapePatience
	}
	first := s.running.Front()
	longest := first.Value.(scrape)
	if left := scrapePatience - time.Since(longest.begun); left > 0 {
		return left
	}
	s.running.Remove(first)
	_ = longest.answer.SetWriteDeadline(time.Now()) // harmless if it has ended
	return scrapePatience
}

func (s *scrapes) add(answer *http.ResponseController) *list.Element {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.running.PushBack(scrape{answer, time.Now()})
}

func (s *scrapes) remove(element *list.Element) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.running.Remove(element) // does nothing if it was cut
}
