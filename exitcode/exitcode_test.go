package exitcode

import (
	"errors"
	"fmt"
	"net"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/haproxy-zk/haproxy-zk/registry"
	"github.com/haproxy-zk/haproxy-zk/supervisor"
)

func TestOfSeparatesFixableFromTemporaryErrors(t *testing.T) {
	const unresolved = "[ALERT]    (1) : config : [/x.cfg:7] : \"server b/s1\" : could not resolve address \"web.example\".\n"
	refused := func(output string) error {
		return fmt.Errorf("%w: %w", registry.ErrRefused, &supervisor.ExitError{Path: "haproxy", Status: 1 << 8, Output: output})
	}
	for name, test := range map[string]struct {
		err  error
		want int
	}{
		"nothing":                         {nil, 0},
		"any":                             {errors.New("x"), Failed},
		"a usage":                         {fmt.Errorf("x: %w", NewUsageError(errors.New("y"))), Usage},
		"an explicit code":                {fmt.Errorf("x: %w", Error{Code: 3}), 3},
		"a file that is not there":        {Classify(fmt.Errorf("read: %w", unix.ENOENT)), Usage},
		"no descriptor":                   {Classify(fmt.Errorf("read: %w", unix.EMFILE)), Failed},
		"an address in use":               {ClassifyListen(unix.EADDRINUSE), Failed},
		"a port without the capability":   {ClassifyListen(unix.EACCES), Usage},
		"a name that does not exist":      {ClassifyListen(&net.DNSError{IsNotFound: true}), Usage},
		"a program that fails":            {ClassifyProgram(&supervisor.ExitError{Status: 1 << 8}), Usage},
		"a program that is killed":        {ClassifyProgram(&supervisor.ExitError{Status: 9}), Failed},
		"a program without memory":        {ClassifyProgram(&supervisor.ExitError{Status: 1 << 8, Output: "Out of memory"}), Failed},
		"HAProxy refuses a configuration": {refused("[ALERT]    (1) : config : unknown keyword\n"), Usage},
		"HAProxy cannot resolve a name":   {refused(unresolved), Failed},
	} {
		t.Run(name, func(t *testing.T) {
			if got := Of(test.err); got != test.want {
				t.Errorf("%v: %d, want %d", test.err, got, test.want)
			}
		})
	}
}
