package hactl

import (
	"context"
	"path/filepath"
	"testing"
	"time"
)

func TestProber(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	a, b, hangs, none := newFakeSocket(t, filepath.Join(dir, "a")), newFakeSocket(t, filepath.Join(dir, "b")), newFakeSocket(t, filepath.Join(dir, "c")), filepath.Join(dir, "none")
	a.handOver(newFakeWorker(7, nil), 0)
	b.handOver(newFakeWorker(8, nil), 0)
	hanging := newFakeWorker(9, nil)
	hanging.stopAnswering(false)
	hangs.handOver(hanging, 0)
	for _, test := range []struct {
		name    string
		sockets []string
		pids    []int
		within  time.Duration
		want    map[int]string
	}{
		{"all answer", []string{a.path, b.path}, []int{7, 8}, time.Minute, map[int]string{7: a.path, 8: b.path}},
		{"enough answer", []string{a.path, hangs.path, b.path, none}, []int{8, 7}, time.Minute, map[int]string{7: a.path, 8: b.path}},
		{"nobody is asked for", []string{hangs.path}, nil, time.Minute, map[int]string{}},
		{"one does not answer", []string{a.path, hangs.path}, []int{7, 9}, time.Second, map[int]string{7: a.path}},
		{"one is not there", []string{b.path, none}, []int{8, 10}, time.Second, map[int]string{8: b.path}},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			ctx, cancel := context.WithTimeout(t.Context(), test.within)
			defer cancel()
			from := time.Now()
			answered, err := Prober{Sockets: test.sockets, Timeout: time.Hour}.Probe(ctx, test.pids)
			if err != nil {
				t.Error(err)
			}
			same(t, "answered", test.want, answered)
			if took := time.Since(from); took > 10*time.Second {
				t.Errorf("after %v", took)
			}
		})
	}
}

func TestProberAsksAgain(t *testing.T) {
	t.Parallel()
	socket := newFakeSocket(t, filepath.Join(t.TempDir(), "s"))
	next := newFakeWorker(8, nil)
	socket.handOver(next, 3)
	release := next.stopAnswering(true)
	found := make(chan map[int]string)
	go func() {
		answered, _ := Prober{Sockets: []string{socket.path}, Timeout: 20 * time.Millisecond}.Probe(t.Context(), []int{8})
		found <- answered
	}()
	becomes(t, "behind three answers of another one, and its own silence", true, func() bool { return next.asked("show info") > 1 })
	release()
	same(t, "answered", map[int]string{8: socket.path}, <-found)
}
