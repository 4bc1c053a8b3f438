package syncer

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/haproxy-zk/haproxy-zk/decode"
	"github.com/haproxy-zk/haproxy-zk/intake"
	"github.com/haproxy-zk/haproxy-zk/registry"
)

func TestSummary(t *testing.T) {
	admit := func(i registry.Instance) error {
		switch {
		case i.Addr.Port() == 21000:
			return errOwn
		case i.Addr.Addr().IsLoopback():
			return errDenied
		}
		return nil
	}
	var s intake.Summary
	for _, name := range []string{"127.0.0.1:80", "127.0.0.1:81", "127.0.0.1:21000", "0.0.0.0:1", "10.0.0.1:0", "a:1", "b:1", "c\n", strings.Repeat("x", 60)} {
		if _, err := Decoder(admit)(name); err != nil {
			s.Skip(name, err)
		}
	}
	var got []string
	for _, f := range s.Found() {
		if f.Problem == "" || f.Remedy == "" {
			t.Errorf("%s says nothing", f.Kind)
		}
		got = append(got, string(f.Kind)+" "+strings.Repeat("I", f.Count)+" "+f.Example)
	}
	want := []string{
		"refused II 127.0.0.1:80", "refused I 127.0.0.1:21000", "address I 0.0.0.0:1", "address I 10.0.0.1:0",
		"host_name II a:1", `other II c\n`,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if n := skipped(s.Found()); n != 9 {
		t.Errorf("%d skipped", n)
	}
}

// The metric starts with every kind at 0.
func TestSkippedKindsAreComplete(t *testing.T) {
	known := make(map[registry.FindingKind]bool)
	for _, kind := range skippedKinds() {
		known[kind] = true
	}
	for _, name := range []string{"web:1", "x_0000000001", "10.0.0.1_80_0000000001", "tri%3A%2F%2Fx", "{", "10.0.0.1:0", "x", "7c4d4f0e-4a7e-4a4e-9a52-5a0f3a1f7d10"} {
		for _, format := range decode.Formats() {
			if format == decode.Regex {
				continue
			}
			if _, reason := decode.New(decode.Options{Format: format}).Decode(name, nil); reason != nil && reason.Kind != "" && !known[intake.Classify(reason).Kind] {
				t.Errorf("%q is of a kind that is not known: %s", name, reason.Kind)
			}
		}
	}
	if !known[intake.Classify(errDenied).Kind] {
		t.Error("refused is not known")
	}
}

func texts(instances []registry.Instance) []string {
	list := make([]string, 0, len(instances))
	for _, instance := range instances {
		list = append(list, instance.String())
	}
	return list
}
