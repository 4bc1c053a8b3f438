package main

import (
	"errors"
	"io"
	"testing"

	"github.com/haproxy-zk/haproxy-zk/config"
	"github.com/haproxy-zk/haproxy-zk/control"
	"github.com/haproxy-zk/haproxy-zk/exitcode"
)

func TestReleaseWantsAGroup(t *testing.T) {
	for _, test := range []struct {
		args  []string
		usage bool
	}{
		{nil, true},
		{[]string{"ngboss"}, true},
		{[]string{"/web"}, true},
		{[]string{"ngboss/"}, true},
		{[]string{"ngboss/a", "ngboss/b"}, true},
		{[]string{"ngboss/a"}, false},
	} {
		cmd := newRelease(&settings{config.Process{RunDir: t.TempDir()}})
		cmd.SetArgs(test.args)
		cmd.SetOut(io.Discard)
		cmd.SetErr(io.Discard)
		err := cmd.ExecuteContext(t.Context())
		if _, usage := errors.AsType[exitcode.UsageError](err); usage != test.usage {
			t.Errorf("%q: %v", test.args, err)
		}
		if !test.usage && !errors.Is(err, control.ErrNotRunning) {
			t.Errorf("%q: %v", test.args, err)
		}
	}
}
