package supervisor

import (
	"bufio"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
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
	tcpCloseWait   = "08" // the client has finished sending and awaits the response
	tcpListen      = "0A"
)

// ports are TCP ports in the kernel's hexadecimal format.
type ports map[string]bool

// listening returns the ports on which workers listen.
func listening(workers []*worker) (ports, error) {
	found := make(ports)
	err := eachSocket(workers, func(state string) bool { return state == tcpListen }, func(port, _ string) { found[port] = true })
	return found, err
}

// sessions counts the sessions of workers that listened on ports.
func (p ports) sessions(workers []*worker) (n int, err error) {
	err = eachSocket(workers, func(string) bool { return true }, func(port, state string) {
		if p[port] && (state == tcpEstablished || state == tcpCloseWait) {
			n++
		}
	})
	return n, err
}

// eachSocket calls do with the local port and the state of every TCP socket of the
// living workers. It stops reading a table at the first state for which more returns
// false: listening sockets come first, and a hundred thousand others may follow.
func eachSocket(workers []*worker, more func(state string) bool, do func(port, state string)) error {
	for _, w := range workers {
		if w.ended() {
			continue
		}
		dir := filepath.Join("/proc", strconv.Itoa(w.pid))
		own, err := inodes(filepath.Join(dir, "fd"))
		if err != nil {
			return fmt.Errorf("read the sockets of process %d: %w", w.pid, err)
		}
		for _, table := range []string{"net/tcp", "net/tcp6"} {
			if err := eachLine(filepath.Join(dir, table), func(fields []string) bool {
				if len(fields) < 10 {
					return true
				}
				if !more(fields[3]) {
					return false
				}
				if i := strings.LastIndexByte(fields[1], ':'); i >= 0 && own[fields[9]] {
					do(fields[1][i+1:], fields[3])
				}
				return true
			}); err != nil {
				return fmt.Errorf("read the sockets of process %d: %w", w.pid, err)
			}
		}
	}
	return nil
}

// inodes returns the inodes of the sockets among the links in dir.
func inodes(dir string) (map[string]bool, error) {
	links, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	found := make(map[string]bool)
	for _, link := range links {
		to, err := os.Readlink(filepath.Join(dir, link.Name()))
		if err != nil {
			continue // closed meanwhile
		}
		if inode, is := strings.CutPrefix(to, "socket:["); is {
			found[strings.TrimSuffix(inode, "]")] = true
		}
	}
	return found, nil
}

// eachLine calls do with the lines of a table after its header until do returns false.
func eachLine(path string, do func(fields []string) (more bool)) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	lines := bufio.NewScanner(f)
	for head := true; lines.Scan(); head = false {
		if !head && !do(strings.Fields(lines.Text())) {
			break
		}
	}
	return lines.Err()
}
