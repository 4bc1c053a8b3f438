package syncer

import (
	"context"
	"fmt"
	"io"
	"net"
	"os"
	"syscall"
	"testing"
)

func TestReason(t *testing.T) {
	for want, err := range map[string]error{
		"connection refused":              &net.OpError{Op: "dial", Err: os.NewSyscallError("connect", syscall.ECONNREFUSED)},
		"no such host":                    &net.OpError{Op: "dial", Err: &net.DNSError{Err: "no such host", Name: "zk"}},
		"name lookup timed out":           &net.DNSError{Err: "i/o timeout", IsTimeout: true},
		"timed out":                       &net.OpError{Op: "dial", Err: context.DeadlineExceeded},
		"connection closed by the server": fmt.Errorf("read: %w", io.EOF),
		"the answer is not zookeeper's":   errStranger,
	} {
		if got := reason(err); got != want {
			t.Errorf("reason(%v) = %q, want %q", err, got, want)
		}
	}
	if got := reason(os.ErrDeadlineExceeded); got != "timed out" {
		t.Error(got)
	}
}
