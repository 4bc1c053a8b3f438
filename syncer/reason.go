package syncer

import (
	"errors"
	"io"
	"net"
	"os"
	"syscall"
)

// reason returns a short text about why a connection failed.
func reason(err error) string {
	if secure, ok := errors.AsType[*tlsError](err); ok && !isTimeout(err) {
		return secure.Error()
	}
	if netErr, ok := errors.AsType[*net.OpError](err); ok && netErr.Op == "remote error" {
		return refusal(netErr)
	}
	if dns, ok := errors.AsType[*net.DNSError](err); ok {
		if dns.IsTimeout {
			return "name lookup timed out"
		}
		return dns.Err
	}
	if errno, ok := errors.AsType[syscall.Errno](err); ok {
		return errno.Error()
	}
	if isTimeout(err) {
		return "timed out"
	}
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return "connection closed by the server"
	}
	return err.Error()
}

func isTimeout(err error) bool {
	timeout, ok := errors.AsType[net.Error](err)
	return ok && timeout.Timeout() || errors.Is(err, os.ErrDeadlineExceeded)
}
