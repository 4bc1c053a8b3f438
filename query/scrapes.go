package query

import (
	"container/list"
	"context"
	"net/http"
	"sync"
	"time"
)

const (
	// maxScrapes is how many may be told the metrics at the same time: to gather them
	// costs more than any other answer.
	maxScrapes = 40
	// When there are so many, one that takes longer than scrapePatience is cut for
	// the next, which waits for scrapeWait at most.
	scrapePatience = time.Second
	scrapeWait     = 5 * time.Second
)

// scrapes are those who are told the metrics. Who reads nothing makes way for others.
type scrapes struct {
	places chan struct{} // of maxScrapes

	mu      sync.Mutex
	running list.List // of scrape; the longest first
}

type scrape struct {
	answer *http.ResponseController
	begun  time.Time
}

func newScrapes() *scrapes { return &scrapes{places: make(chan struct{}, maxScrapes)} }

func (s *scrapes) serve(metrics http.Handler, w http.ResponseWriter, r *http.Request) {
	if !s.enter(r.Context()) {
		refuse(w, http.StatusServiceUnavailable, problem{Error: "too many ask for the metrics: come again"})
		return
	}
	defer func() { <-s.places }()
	place := s.note(http.NewResponseController(w))
	defer s.forget(place)
	metrics.ServeHTTP(w, r)
}

// enter waits for a place, and tells whether there was one.
func (s *scrapes) enter(ctx context.Context) bool {
	ctx, cancel := context.WithTimeout(ctx, scrapeWait)
	defer cancel()
	for {
		wait := time.NewTimer(s.cut())
		select {
		case s.places <- struct{}{}:
			wait.Stop()
			return true
		case <-wait.C:
		case <-ctx.Done():
			wait.Stop()
			return false
		}
	}
}

// cut ends the longest if all places are taken and it takes too long. It returns when
// to look again.
func (s *scrapes) cut() time.Duration {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.places) < cap(s.places) || s.running.Len() == 0 {
		return scrapePatience
	}
	first := s.running.Front()
	longest := first.Value.(scrape)
	if left := scrapePatience - time.Since(longest.begun); left > 0 {
		return left
	}
	s.running.Remove(first)
	_ = longest.answer.SetWriteDeadline(time.Now()) // one that has ended does not mind
	return scrapePatience
}

func (s *scrapes) note(answer *http.ResponseController) *list.Element {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.running.PushBack(scrape{answer, time.Now()})
}

func (s *scrapes) forget(place *list.Element) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.running.Remove(place) // which is nothing for one that was cut
}
