package main

import (
	"errors"
	"io"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/spf13/cobra"

	"github.com/haproxy-zk/haproxy-zk/config"
	"github.com/haproxy-zk/haproxy-zk/exitcode"
)

func TestRunArguments(t *testing.T) {
	var got []string
	root := newRoot(io.Discard, io.Discard)
	root.AddCommand(&cobra.Command{Use: "probe", RunE: func(cmd *cobra.Command, _ []string) error {
		got = runArgs(cmd)
		return nil
	}})
	root.SetArgs([]string{"probe", "--config", "a b.json", "--start-wait=2s"})
	if err := root.Execute(); err != nil {
		t.Fatal(err)
	}
	slices.Sort(got[1:])
	if diff := cmp.Diff([]string{"run", "--config=a b.json", "--start-wait=2s"}, got); diff != "" {
		t.Error(diff)
	}
}

func TestHostCommands(t *testing.T) {
	s := &settings{config.Process{RunDir: "/run/x"}}
	for _, cmd := range []*cobra.Command{newStart(s), newStop(s), newRestart(s), newStatus(s), newHealthcheck(s), newGet(s)} {
		if cmd.Short == "" || cmd.Long == "" || cmd.RunE == nil {
			t.Errorf("%s is not complete", cmd.Name())
		}
		if err := cmd.Args(cmd, []string{"a", "b"}); !errors.As(err, new(exitcode.UsageError)) {
			t.Errorf("%s: %v", cmd.Name(), err)
		}
	}
	for _, command := range []string{"start", "stop", "restart", "status"} {
		cmd, _, err := newRoot(io.Discard, io.Discard).Find([]string{command})
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.ParseFlags([]string{"--pid-file=a", "--log-file=b", "--timeout=1s", "--haproxy", "--config=c", "--run-dir=/d"}); err != nil {
			t.Errorf("%s: %v", command, err)
		}
	}
}
