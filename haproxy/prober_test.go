package haproxy

import (
	"context"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func answers(reply string) func(string) string { return func(string) string { return reply } }

func TestProber(t *testing.T) {
	t.Parallel()
	a, b, hangs := newStub(t, answers("Pid: 7")).path, newStub(t, answers("Pid: 8")).path, newStub(t, answers("hang")).path
	none := a + ".none"
	for _, test := range []struct {
		name    string
		sockets []string
		pids    []int
		within  time.Duration
		want    map[int]string
	}{
		{"all answer", []string{a, b}, []int{7, 8}, time.Minute, map[int]string{7: a, 8: b}},
		{"enough answer", []string{a, hangs, b, none}, []int{8, 7}, time.Minute, map[int]string{7: a, 8: b}},
		{"no process", []string{hangs}, nil, time.Minute, map[int]string{}},
		{"one does not answer", []string{a, hangs}, []int{7, 9}, time.Second, map[int]string{7: a}},
		{"one is not there", []string{b, none}, []int{8, 10}, time.Second, map[int]string{8: b}},
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
			if diff := cmp.Diff(test.want, answered); diff != "" {
				t.Errorf("answered: -want +got\n%s", diff)
			}
			if took := time.Since(from); took > 10*time.Second {
				t.Errorf("after %v", took)
			}
		})
	}
}

func TestProberRetries(t *testing.T) {
	t.Parallel()
	const elder, silent = 3, 2
	var asked atomic.Int64
	// Three answers of another process, then silence of the one that is asked for.
	socket := newStub(t, func(string) string {
		switch n := asked.Add(1); {
		case n <= elder:
			return "Pid: 1"
		case n <= elder+silent:
			return "hang"
		}
		return "Pid: 8"
	}).path
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	answered, err := Prober{Sockets: []string{socket}, Timeout: 20 * time.Millisecond}.Probe(ctx, []int{8})
	if err != nil {
		t.Error(err)
	}
	if diff := cmp.Diff(map[int]string{8: socket}, answered); diff != "" {
		t.Errorf("answered: -want +got\n%s", diff)
	}
	if n := asked.Load(); n <= elder+silent {
		t.Errorf("it was asked %d times", n)
	}
}
