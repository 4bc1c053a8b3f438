package exitcode

import (
	"errors"
	"fmt"
	"net"
	"os/exec"
	"regexp"
	"slices"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/haproxy-zk/haproxy-zk/haproxy"
	"github.com/haproxy-zk/haproxy-zk/registry"
	"github.com/haproxy-zk/haproxy-zk/supervisor"
)

// Exit codes, besides 0: stopped as asked.
const (
	Failed = 1 // failed at run time: another try may succeed
	Usage  = 2 // bad usage or configuration: it fails until somebody fixes it
)

// UsageError is an error that the user can fix: in the command line, the environment, the
// configuration or the template.
type UsageError struct{ Err error }

// NewUsageError marks err, which is not nil, as one that the user can fix.
func NewUsageError(err error) error { return UsageError{err} }

// Error implements error.
func (e UsageError) Error() string { return e.Err.Error() }

// Unwrap returns the underlying error.
func (e UsageError) Unwrap() error { return e.Err }

// Error ends a command with a specific exit code.
type Error struct {
	Code int
	// Text is printed unless it is empty.
	Text string
}

// Error implements error.
func (e Error) Error() string { return e.Text }

// Of returns the exit code of a command that ends with err: 0 for nil.
func Of(err error) int {
	exit, own := errors.AsType[Error](err)
	refused, ran := errors.AsType[*supervisor.ExitError](err)
	switch {
	case err == nil:
		return 0
	case own:
		return exit.Code
	case errors.As(err, new(UsageError)):
		return Usage
	case errors.Is(err, registry.ErrRefused) && (!ran || !Passes(refused.Output)):
		return Usage
	}
	return Failed
}

// Classify marks a system error as one that the user can fix if it would recur until then;
// others are returned unchanged. Running out of file descriptors or memory, and disk
// errors, are temporary.
func Classify(err error) error {
	recurring := []error{
		exec.ErrNotFound, unix.ENOENT, unix.ENOTDIR, unix.EISDIR, unix.ELOOP, unix.ENAMETOOLONG, unix.EINVAL,
		unix.EACCES, unix.EPERM, unix.EROFS, unix.ENOEXEC, unix.ELIBBAD,
	}
	if slices.ContainsFunc(recurring, func(target error) bool { return errors.Is(err, target) }) {
		return UsageError{err}
	}
	return err
}

// ClassifyProgram is [Classify] for a program that was run: one that was killed, or ran
// out of a resource, may succeed next time.
func ClassifyProgram(err error) error {
	ended, ran := errors.AsType[*supervisor.ExitError](err)
	switch {
	case !ran:
		return Classify(err)
	case ended.Status.Exited() && !exhausted(ended.Output):
		return UsageError{err}
	}
	return err
}

// ClassifyListen is [Classify] for an address to listen on: one in use may soon be
// free, and one that the host lacks may be added.
func ClassifyListen(err error) error {
	if unknown, isDNS := errors.AsType[*net.DNSError](err); isDNS && unknown.IsNotFound {
		return UsageError{err}
	}
	if _, isAddr := errors.AsType[*net.AddrError](err); isAddr {
		return UsageError{err}
	}
	if errors.Is(err, unix.EACCES) {
		return UsageError{fmt.Errorf("%w: ports below 1024 need CAP_NET_BIND_SERVICE", err)}
	}
	return err
}

var (
	// `could not resolve address 'web.example'`, or for a line that needs an address at
	// once `invalid address: 'web.example' in 'web.example:80'`.
	unresolved = regexp.MustCompile(`could not resolve address|invalid address: '[^':]*[A-Za-z][^':]*' in`)
	// summary is a summary that follows them.
	summary = regexp.MustCompile(`^Failed to initialize server\(s\) addr`)
)

// Passes reports whether every alert in HAProxy's output may be temporary: names that do
// not resolve, or a lack of memory or file descriptors.
func Passes(output string) bool {
	alerts := 0
	for _, m := range haproxy.ParseMessages(output) {
		switch {
		case m.Level != haproxy.Alert || summary.MatchString(m.Text):
		case unresolved.MatchString(m.Text) || exhausted(m.Text):
			alerts++
		default:
			return false
		}
	}
	return alerts > 0 || exhausted(output)
}

// exhausted reports whether a program's output says that it ran out of a resource or that
// a disk failed.
func exhausted(output string) bool {
	output = strings.ToLower(output)
	return slices.ContainsFunc([]string{
		"too many open files", "cannot allocate memory", "out of memory", "not enough memory",
		"resource temporarily unavailable", "input/output error",
	}, func(words string) bool { return strings.Contains(output, words) })
}
