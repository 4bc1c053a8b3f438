package supervisor

import (
	"fmt"
	"io/fs"
	"os"
	"slices"
	"syscall"

	"github.com/haproxy-zk/haproxy-zk/ownfile"
)

// clearSockets removes foreign files at the paths of HAProxy's stats sockets: a process
// that listens there could pose as a running HAProxy and hand over its own listeners. A
// socket must belong to this user, to root, or to the user of HAProxy's workers.
func (h *HAProxy) clearSockets() error {
	for _, path := range h.Sockets {
		info, err := os.Lstat(path)
		if err != nil {
			continue // HAProxy creates it
		}
		stat, known := info.Sys().(*syscall.Stat_t)
		if info.Mode().Type() == fs.ModeSocket && known && slices.Contains([]int{0, os.Geteuid(), h.WorkerUID}, int(stat.Uid)) {
			continue
		}
		if err := ownfile.Remove(path); err != nil {
			return fmt.Errorf("remove the file at the path of HAProxy's stats socket: %w", ownfile.Explain(path, err))
		}
		h.Logger.Warn("removed a file at the path of HAProxy's stats socket", "path", path, "mode", info.Mode().String())
	}
	return nil
}
