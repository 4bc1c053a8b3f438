package hactl

import "testing"

// HAProxy has no slow start for the servers that it starts with.
func TestReloadKeepsSlowStartsOfUnreadWorkers(t *testing.T) {
	t.Parallel()
	slow := backendOf("web", 3)
	slow.Servers.Params = []string{"check", "slowstart", "60s"}
	s := newStory(t, slow)
	s.set("web", 1)
	s.launch(t)
	s.set("web", 1, 2)
	s.step(t.Context())
	s.serves(t, "both", "web", 1, 2, 0)
	for i := range 2 {
		s.ha.worker(i).refuse("show servers state", 1)
	}
	if err := s.replaceGeneration(t.Context(), "signal"); err != nil {
		t.Fatal(err)
	}
	same(t, "the one that has its full share is rendered", "server web1 10.0.0.1:80 check slowstart 60s", s.ha.renderedLine("web1"))
	same(t, "the one in its slow start is not", "none", s.ha.renderedLine("web2"))
	s.serves(t, "both again", "web", 1, 2, 0)
	for i := range 2 {
		same(t, "the other enters, and begins its slow start", [][]string{write(enters("web/web2", 2))}, s.ha.worker(i).changes())
	}
}
