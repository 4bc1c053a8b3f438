package host

import (
	"context"
	"errors"
	"os/exec"
	"strings"
	"time"

	"github.com/haproxy-zk/haproxy-zk/exitcode"
)

// rehearseWithin bounds a rehearsal: HAProxy alone may take a minute per proxy to read
// its configuration.
const rehearseWithin = 5 * time.Minute

// rehearseSuccessor runs the rehearsal with the arguments of a run. Its error says why
// the successor would fail.
func (h *Host) rehearseSuccessor(ctx context.Context, args []string) error {
	ctx, cancel := context.WithTimeout(ctx, rehearseWithin)
	defer cancel()
	cmd := exec.CommandContext(ctx, h.opts.Executable, append([]string{"rehearse"}, args[1:]...)...)
	words, err := cmd.CombinedOutput()
	if err == nil {
		return nil
	}
	code := exitcode.Failed
	if exit, ended := errors.AsType[*exec.ExitError](err); ended {
		code = max(exit.ExitCode(), exitcode.Failed)
	}
	text := strings.TrimSpace(strings.TrimPrefix(string(words), "haproxy-zk: "))
	if text == "" {
		text = err.Error()
	}
	return exitcode.Error{Code: code, Text: text}
}
