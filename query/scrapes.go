package query

import (
	"container/list"
	"net/http"
	"sync"
	"time"
)

// maxScrapes is how many may be told the metrics at the same time: to gather them
// costs more than any other answer.
const maxScrapes = 40

// scrapes are those who are told the metrics. When there is one too many the one
// who has taken longest is cut: it may read nothing. The zero value works.
type scrapes struct {
	mu      sync.Mutex
	running list.List // of *http.ResponseController; the longest first
}

func (s *scrapes) serve(metrics http.Handler, w http.ResponseWriter, r *http.Request) {
	place := s.enter(http.NewResponseController(w))
	defer s.leave(place)
	metrics.ServeHTTP(w, r)
}

func (s *scrapes) enter(answer *http.ResponseController) *list.Element {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.running.Len() >= maxScrapes {
		oldest := s.running.Remove(s.running.Front()).(*http.ResponseController)
		_ = oldest.SetWriteDeadline(time.Now()) // one that has ended does not mind
	}
	return s.running.PushBack(answer)
}

func (s *scrapes) leave(place *list.Element) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.running.Remove(place) // which is nothing for one that was cut
}
