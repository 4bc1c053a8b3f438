package rig

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"strconv"
	"syscall"
)

const lowestPort = 12000

// FreePort returns a TCP port that nothing listens on. It lies below the range
// from which the kernel takes ports for outgoing connections. No other call gets
// it while this process lives, neither here nor in another process that uses
// this package: `go test ./...` runs several at once.
func FreePort() (int, error) {
	end := ephemeralStart()
	for range 1000 {
		port := lowestPort + rand.IntN(end-lowestPort)
		reserved, err := reserve(port)
		if err != nil {
			return 0, fmt.Errorf("reserve a port: %w", err)
		}
		if !reserved {
			continue
		}
		l, err := net.Listen("tcp4", net.JoinHostPort("", strconv.Itoa(port)))
		if err != nil {
			continue
		}
		l.Close()
		return port, nil
	}
	return 0, fmt.Errorf("no free port between %d and %d", lowestPort, end)
}

// reserve claims a port among the users of this package by a name in the
// abstract socket namespace, which has the scope of the ports themselves (the
// network namespace). The descriptor stays open on purpose: the kernel gives the
// name back when the process ends, however it ends.
func reserve(port int) (bool, error) {
	fd, err := syscall.Socket(syscall.AF_UNIX, syscall.SOCK_STREAM|syscall.SOCK_CLOEXEC, 0)
	if err != nil {
		return false, err
	}
	err = syscall.Bind(fd, &syscall.SockaddrUnix{Name: "@haproxy-zk-rig-" + strconv.Itoa(port)})
	if err == nil {
		return true, nil
	}
	syscall.Close(fd)
	if errors.Is(err, syscall.EADDRINUSE) {
		return false, nil
	}
	return false, err
}

func ephemeralStart() int {
	const usual = 32768
	text, err := os.ReadFile("/proc/sys/net/ipv4/ip_local_port_range")
	if err != nil {
		return usual
	}
	var start int
	if _, err := fmt.Sscan(string(text), &start); err != nil || start < lowestPort+1000 {
		return usual
	}
	return start
}
