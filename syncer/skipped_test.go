package syncer

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestComplaintsOncePerRegistration(t *testing.T) {
	var c complaints
	steps := []struct{ skipped, want []string }{
		{[]string{"a", "b", "a"}, []string{"a", "b"}},
		{[]string{"b", "a"}, nil},
		{[]string{"b", "c"}, []string{"c"}},
		{nil, nil},
		{[]string{"a"}, []string{"a"}},
	}
	for i, step := range steps {
		if diff := cmp.Diff(step.want, c.update(step.skipped)); diff != "" {
			t.Errorf("step %d: %s", i, diff)
		}
	}
}

func TestComplaintsAreBounded(t *testing.T) {
	var c complaints
	var many []string
	for i := range 10 * maxComplained {
		many = append(many, fmt.Sprint("name", i))
	}
	if fresh := c.update(many); len(fresh) != maxComplained {
		t.Errorf("%d names to complain of", len(fresh))
	}
	if fresh := c.update(many); len(fresh) != 0 || len(c) != maxComplained {
		t.Errorf("%d again, %d remembered", len(fresh), len(c))
	}
}

func TestQuote(t *testing.T) {
	for name, want := range map[string]string{
		"a\nb\u2028\x1b[31m":      `"a\nb\u2028\x1b[31m"`,
		strings.Repeat("x", 2000): `"` + strings.Repeat("x", 64) + `"...`,
		strings.Repeat("€", 700):  `"` + strings.Repeat("€", 21) + `\xe2"...`,
	} {
		if got := quote(name); got != want {
			t.Errorf("quote(%q) = %s, want %s", name, got, want)
		}
	}
}
