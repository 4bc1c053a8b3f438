package intake

import (
	"fmt"
	"strings"
	"testing"

	"github.com/haproxy-zk/haproxy-zk/registry"
)

func TestSkippedChildrenAreNamedAndBounded(t *testing.T) {
	var s Summary
	for i := range 1000 {
		f := registry.Finding{Kind: registry.Payload, Problem: "no JSON", Remedy: "correct it"}
		if i%2 == 1 {
			f.Problem = "nested too deep"
		}
		s.Add(fmt.Sprintf("child\n%d%s", i, strings.Repeat("x", 100)), f)
	}
	named := s.Skipped()
	if len(named) != maxSkipped || s.Found()[0].Count+s.Found()[1].Count != 1000 {
		t.Fatalf("%d are named, %+v", len(named), s.Found())
	}
	second := named[1]
	if !strings.HasPrefix(second.Name, `child\n1xxx`) || len(second.Name) > 2*maxExample || second.Kind != registry.Payload || second.Problem != "nested too deep" || second.Remedy != "correct it" {
		t.Errorf("%+v", second)
	}
}

func TestPrintable(t *testing.T) {
	for name, want := range map[string]string{
		"a\nb\u2028\x1b[31m\"":    `a\nb\u2028\x1b[31m\"`,
		strings.Repeat("x", 2000): strings.Repeat("x", 64) + "...",
		strings.Repeat("€", 700):  strings.Repeat("€", 21) + `\xe2...`,
	} {
		if got := Printable(name); got != want {
			t.Errorf("Printable(%q) = %s, want %s", name, got, want)
		}
	}
}
