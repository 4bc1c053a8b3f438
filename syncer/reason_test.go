package syncer

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
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
		"the response is not ZooKeeper's, check zk.addr":                                        errNotZooKeeper,
		"the server rejected the connection: bad certificate; check zk.tls.cert and zk.tls.key": &net.OpError{Op: "remote error", Err: errors.New("bad certificate")},
		"TLS: open /ca.pem: no such file or directory":                                          &tlsError{&fs.PathError{Op: "open", Path: "/ca.pem", Err: syscall.ENOENT}},
	} {
		if got := reason(err); got != want {
			t.Errorf("reason(%v) = %q, want %q", err, got, want)
		}
	}
	if got := reason(os.ErrDeadlineExceeded); got != "timed out" {
		t.Error(got)
	}
}
