package supervisor

import (
	"bufio"
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// Sessions are the connections of HAProxy's clients. A worker that was asked to finish
// no longer answers on its stats socket, so they are counted in /proc: proc_net_tcp(5)
// has a line for each socket,
//
//	sl local_address rem_address st … inode …
//	0: 0100007F:1F90 0100007F:C350 01 … 123456 …
//
// and proc_pid_fd(5) a link `socket:[123456]` for each of the worker's own. A session is
// a connection to a port on which HAProxy listened.

// Socket states of the kernel's include/net/tcp_states.h.
const (
	tcpEstablished = "01"
	tcpTimeWait    = "06"
	tcpCloseWait   = "08" // the client has finished sending and awaits the response
	tcpListen      = "0A"
)

// countWithin bounds the time that counting sessions may take.
const countWithin = time.Second

// ports are TCP ports in the kernel's hexadecimal format.
type ports map[string]bool

// listening returns the ports on which workers listen.
func listening(workers []*worker) (ports, error) {
	found := make(ports)
	err := eachSocket(workers, func(state string) bool { return state == tcpListen }, func(port, _ string) { found[port] = true })
	return found, err
}

// sessions counts the sessions of workers that listened on ports, until a time: the stop of
// those that remain waits for it, and a host may have hundreds of thousands of sockets.
func (p ports) sessions(workers []*worker, until time.Time) (n int, err error) {
	inTime := func(string) bool { return time.Now().Before(until) }
	err = eachSocket(workers, inTime, func(port, state string) {
		if p[port] && (state == tcpEstablished || state == tcpCloseWait) {
			n++
		}
	})
	if err == nil && !inTime("") {
		err = errTooManySockets
	}
	return n, err
}

var errTooManySockets = errors.New("the host has too many sockets to count those of HAProxy")

// eachSocket calls do with the local port and the state of every TCP socket of the
// living workers. It stops reading a table at the first state for which more returns
// false: listening sockets come first, and a hundred thousand others may follow. Tables are
// those of a network, which the workers usually share.
func eachSocket(workers []*worker, more func(state string) bool, do func(port, state string)) error {
	own, in := make(map[string]map[string]bool), make(map[string]string) // by network: inodes, and a directory of /proc
	for _, w := range workers {
		if w.ended() {
			continue
		}
		dir := filepath.Join("/proc", strconv.Itoa(w.pid))
		network, err := os.Readlink(filepath.Join(dir, "ns/net"))
		if own[network] == nil {
			own[network], in[network] = make(map[string]bool), dir
		}
		if err = cmp.Or(err, inodes(filepath.Join(dir, "fd"), own[network])); err != nil {
			return fmt.Errorf("read the sockets of process %d: %w", w.pid, err)
		}
	}
	for network, dir := range in {
		for _, table := range []string{"net/tcp", "net/tcp6"} {
			err := eachLine(filepath.Join(dir, table), func(port, state, inode []byte) bool {
				if !more(string(state)) {
					return false
				}
				if own[network][string(inode)] {
					do(string(port), string(state))
				}
				return true
			})
			if err != nil {
				return fmt.Errorf("read the sockets of HAProxy: %w", err)
			}
		}
	}
	return nil
}

// inodes adds the inodes of the sockets among the links in dir to those found.
func inodes(dir string, found map[string]bool) error {
	links, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	for _, link := range links {
		to, err := os.Readlink(filepath.Join(dir, link.Name()))
		if err != nil {
			continue // closed meanwhile
		}
		if inode, is := strings.CutPrefix(to, "socket:["); is {
			found[strings.TrimSuffix(inode, "]")] = true
		}
	}
	return nil
}

// eachLine calls do with the local port, the state and the inode in the lines of a table
// after its header until do returns false. Most lines of a busy host are of closed
// connections, which have no inode: these are not split any further.
func eachLine(path string, do func(port, state, inode []byte) (more bool)) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	lines := bufio.NewScanner(f)
	for head := true; lines.Scan(); head = false {
		fields := bytes.SplitN(bytes.TrimLeft(lines.Bytes(), " "), []byte(" "), 5) // sl local_address rem_address st …
		if head || len(fields) < 5 {
			continue
		}
		var inode []byte
		if string(fields[3]) != tcpTimeWait {
			if rest := bytes.Fields(fields[4]); len(rest) > 5 {
				inode = rest[5]
			}
		}
		_, port, _ := bytes.Cut(fields[1], []byte(":"))
		if !do(port, fields[3], inode) {
			break
		}
	}
	return lines.Err()
}
