package rig

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"strconv"
	"syscall"
)

const lowestPort = 12000

// FreePort returns a TCP port that nothing listens on, below the range from which the
// kernel takes ports for outgoing connections. No other call returns it while this
// process lives, in this or any other process that uses this package: `go test ./...`
// runs several at once.
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
		if free, err := IsFree(port); err != nil {
			return 0, fmt.Errorf("find a free port: %w", err)
		} else if free {
			return port, nil
		}
	}
	return 0, fmt.Errorf("no free port between %d and %d", lowestPort, end)
}

// reserve claims a port among the users of this package by a name in the abstract
// socket namespace, which has the same scope as ports (the network namespace). The
// descriptor stays open on purpose: the kernel releases the name when the process ends,
// however it ends.
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

// IsFree reports whether nothing listens on an IPv4 port. It does not listen itself: a
// child forked in the meantime would hold the socket until it calls exec. A socket that
// is only bound does not count.
func IsFree(port int) (bool, error) {
	fd, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_STREAM|syscall.SOCK_CLOEXEC, 0)
	if err != nil {
		return false, err
	}
	defer syscall.Close(fd)
	if err := syscall.SetsockoptInt(fd, syscall.SOL_SOCKET, syscall.SO_REUSEADDR, 1); err != nil {
		return false, err
	}
	err = syscall.Bind(fd, &syscall.SockaddrInet4{Port: port})
	if errors.Is(err, syscall.EADDRINUSE) {
		return false, nil
	}
	return err == nil, err
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
