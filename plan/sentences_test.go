package plan

import (
	"errors"
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/haproxy-zk/haproxy-zk/exitcode"
)

func TestSentences(t *testing.T) {
	plain := errors.New("plain")
	joined := errors.Join(errors.New("line 1: one"), errors.New("line 2: two"))
	for _, test := range []struct {
		err  error
		want []string
	}{
		{plain, []string{"plain"}},
		{fmt.Errorf("a: %w", plain), []string{"a: plain"}},
		{joined, []string{"line 1: one", "line 2: two"}},
		{exitcode.NewUsageError(errors.Join(plain, fmt.Errorf("t: %w", joined))), []string{"plain", "t: line 1: one", "t: line 2: two"}},
		{fmt.Errorf("%w behind", joined), []string{"line 1: one\nline 2: two behind"}},
	} {
		if diff := cmp.Diff(test.want, Sentences(test.err)); diff != "" {
			t.Error(diff)
		}
	}
}
