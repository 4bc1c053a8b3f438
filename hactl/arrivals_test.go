package hactl

import (
	"testing"
	"time"
)

// The list of the new group may be read before the list of the old one.
func TestMovingAddressIsSeenInBothGroupsFirst(t *testing.T) {
	t.Parallel()
	s := newStory(t, backendOf("api", 3), backendOf("web", 3))
	s.set("api", 9)
	s.set("web", 1, 2)
	s.serve(t)
	s.set("api", 1, 9, 8)
	s.serves(t, "another one enters", "api", 9, 8, 0)
	s.set("web", 2)
	s.serves(t, "it left, and enters", "api", 9, 8, 1)
	s.serves(t, "it left", "web", 0, 2, 0)
	for i := range 2 {
		writes := s.ha.worker(i).changes()
		same(t, "the last writes to a worker", [][]string{write(leaves("web/web1")), write(enters("api/api3", 1))}, writes[len(writes)-2:])
	}
	s.endsWith(t, "start")
}

func TestInstanceRegisteredInTwoGroupsServesBoth(t *testing.T) {
	t.Parallel()
	s := newStory(t, backendOf("api", 3), backendOf("web", 3))
	s.set("api", 1)
	s.set("web", 1, 2)
	s.serve(t)
	s.serves(t, "from the start", "api", 1, 0, 0)
	from := time.Now()
	s.set("api", 1, 2)
	s.serves(t, "another one", "api", 1, 2, 0)
	if took := time.Since(from); took < 500*time.Millisecond {
		t.Errorf("it entered after %v", took)
	}
	s.serves(t, "in both", "web", 1, 2, 0)
	s.endsWith(t, "start")
}
