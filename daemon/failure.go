package daemon

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/haproxy-zk/haproxy-zk/config"
	"github.com/haproxy-zk/haproxy-zk/control"
	"github.com/haproxy-zk/haproxy-zk/exitcode"
	"github.com/haproxy-zk/haproxy-zk/logging"
	"github.com/haproxy-zk/haproxy-zk/plan"
)

// maxProblems bounds how many problems of a configuration are reported individually.
const maxProblems = 20

// failure is the error of a rejected configuration, which has changed nothing.
type failure struct {
	// problems are one printable line each, with the place of the problem.
	problems []string
	// wrong is false if reading the same configuration again may succeed.
	wrong bool
	// since is the time of the first of the consecutive failures.
	since time.Time
}

// newFailure returns the failure for err. before is the previous failure, nil if the
// previous reading succeeded.
func newFailure(err error, before *failure) *failure {
	f := &failure{wrong: exitcode.Of(err) == exitcode.Usage, since: time.Now()}
	if before != nil {
		f.since = before.since
	}
	for _, problem := range problemsOf(err) {
		if text := logging.OneLine(problem, maxMessage); !slices.Contains(f.problems, text) {
			f.problems = append(f.problems, text)
		}
	}
	if more := len(f.problems) - maxProblems; more > 0 {
		f.problems = append(f.problems[:maxProblems], fmt.Sprintf("%d more problems; haproxy-zk check lists all", more))
	}
	return f
}

// Error returns one line per problem.
func (f *failure) Error() string { return strings.Join(f.problems, "\n") }

// Is makes an invalid configuration match control.ErrInvalid for clients of the control
// socket.
func (f *failure) Is(target error) bool { return f.wrong && target == control.ErrInvalid }

// problemsOf splits an error into its problems.
func problemsOf(err error) []string {
	problems, isProblems := errors.AsType[*config.Problems](err)
	if !isProblems {
		return plan.Sentences(err)
	}
	var all []string
	for _, p := range *problems {
		all = append(all, p.String())
	}
	return all
}
