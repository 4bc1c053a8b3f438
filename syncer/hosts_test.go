package syncer

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestHosts(t *testing.T) {
	connected := 0
	h := newHosts(func() { connected++ })
	if err := h.Init([]string{"zk-1.invalid:2181", "zk-2.invalid:2181", "zk-3.invalid:2181"}); err != nil {
		t.Fatalf("names are not to be resolved here: %v", err)
	}
	if h.Len() != 3 {
		t.Errorf("Len() = %d", h.Len())
	}
	var got []string
	for range 5 {
		server, retryStart := h.Next()
		if retryStart {
			t.Error("the library would sleep")
		}
		got = append(got, server)
	}
	want := []string{
		"zk-1.invalid:2181", "zk-2.invalid:2181", "zk-3.invalid:2181",
		"zk-1.invalid:2181", "zk-2.invalid:2181",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	h.Connected()
	if connected != 1 {
		t.Errorf("connected %d times", connected)
	}
}

func TestHostsParkLoopOnStop(t *testing.T) {
	h := newHosts(nil)
	_ = h.Init([]string{"a:1"})
	h.stop()
	h.stop()
	done := make(chan bool)
	go func() {
		_, retryStart := h.Next()
		done <- retryStart
	}()
	<-h.parked
	select {
	case <-done:
		t.Fatal("Next returned before it was released")
	default:
	}
	h.unpark()
	if !<-done {
		t.Error("Next did not report the end of a round")
	}
	if _, retryStart := h.Next(); !retryStart {
		t.Error("a later Next continues dialing")
	}
}
