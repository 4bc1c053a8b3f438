package rig

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestHostsAreKeptByName(t *testing.T) {
	h := new(hosts)
	if err := h.Init(nil); err == nil {
		t.Error("no server is no error")
	}
	if err := h.Init([]string{"one:2181", "two:2181"}); err != nil {
		t.Fatal(err)
	}
	type turn struct {
		server string
		pause  bool
	}
	next := func() turn {
		server, pause := h.Next()
		return turn{server, pause}
	}
	got := []turn{next(), next(), next(), next(), next()}
	h.Connected()
	got = append(got, next())
	want := []turn{
		{"one:2181", false},
		{"two:2181", false},
		{"one:2181", true}, // all have been tried
		{"two:2181", false},
		{"one:2181", true},
		{"two:2181", false}, // right after a connection
	}
	if diff := cmp.Diff(want, got, cmp.AllowUnexported(turn{})); diff != "" {
		t.Errorf("-want +got\n%s", diff)
	}
}
