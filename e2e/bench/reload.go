package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/haproxy-zk/haproxy-zk/e2e/rig"
)

// reloadRound is the parts of one reload, and one bare start.
type reloadRound struct {
	Write  time.Duration // of the file
	Launch time.Duration // from then until the launcher has ended
	Proof  time.Duration // until the new worker has answered
	Rest   time.Duration // signaling the old one
	Bare   time.Duration
}

func (r reloadRound) reload() time.Duration { return r.Write + r.Launch + r.Proof + r.Rest }

type reloadRounds struct {
	Checked bool // the servers have health checks
	Rounds  []reloadRound
}

const reloadLimit = time.Minute // for one size on one HAProxy

func reload(ctx context.Context, haproxies []rig.HAProxy) error {
	printReloadHeader()
	unchecked := false
	for _, h := range haproxies {
		for _, size := range []struct{ slots, rounds int }{{10, 20}, {20_000, 7}} {
			got, err := measureReloads(ctx, h, size.slots, size.rounds)
			if err != nil {
				return fmt.Errorf("HAProxy %s, %d slots: %w", h, size.slots, err)
			}
			printReloadRow(h.Name, size.slots, got.Rounds)
			unchecked = unchecked || !got.Checked
		}
	}
	if unchecked {
		fmt.Println("\nWithout `check` at 20,000 slots: a checked server needs a descriptor, and the limit of open files is below 25,000.")
	}
	return nil
}

// measureReloads measures in another process: the supervisor's reaper waits for every
// child of its process, and this one starts some with os/exec.
func measureReloads(ctx context.Context, h rig.HAProxy, slots, rounds int) (got reloadRounds, err error) {
	ctx, cancel := context.WithTimeout(ctx, reloadLimit)
	defer cancel()
	dir, err := os.MkdirTemp("", "hz-bench-")
	if err != nil {
		return got, err
	}
	defer os.RemoveAll(dir)
	self, err := os.Executable()
	if err != nil {
		return got, err
	}
	cmd := exec.CommandContext(ctx, self, "reloads", h.Path, dir, strconv.Itoa(slots), strconv.Itoa(rounds))
	cmd.Stderr = os.Stderr
	// so that it ends its HAProxys
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: unix.SIGTERM}
	cmd.Cancel = func() error { return cmd.Process.Signal(unix.SIGTERM) }
	cmd.WaitDelay = 15 * time.Second
	output, err := cmd.Output()
	if err != nil {
		return got, err
	}
	return got, json.Unmarshal(output, &got)
}
