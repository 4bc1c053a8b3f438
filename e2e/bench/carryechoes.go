package main

import (
	"errors"
	"fmt"
	"time"

	"github.com/haproxy-zk/haproxy-zk/e2e/rig"
)

// open opens echoes to groups in turn.
func (d *deletions) open(n int, groups ...string) (opened []*rig.Echo, err error) {
	for i := range n {
		echo, err := rig.OpenEcho(d.config.Listener(), "/"+groups[i%len(groups)]+"/echo")
		if err != nil {
			return nil, errors.Join(err, closeEchoes(opened))
		}
		opened = append(opened, echo)
	}
	return opened, nil
}

func closeEchoes(echoes []*rig.Echo) (err error) {
	for _, echo := range echoes {
		err = errors.Join(err, echo.Close())
	}
	return err
}

// sort assigns echoes by what their instances do now: those to dead ones are closed.
func (d *deletions) sort(opened []*rig.Echo, leaving, dead map[string]bool) {
	now := time.Now()
	for i, echo := range opened {
		switch {
		case dead[echo.Instance]:
			_ = echo.Close() // was cut
		case leaving[echo.Instance]:
			ends := now.Add(echoesEnd)
			if i%2 == 0 {
				ends = now.Add(echoesLast)
			}
			d.leave = append(d.leave, &leavingEcho{Echo: echo, ends: ends})
		default:
			d.stay = append(d.stay, echo)
		}
	}
}

// endEchoes ends those whose time is over.
func (d *deletions) endEchoes(now time.Time) {
	for _, echo := range d.leave {
		if !echo.over && !echo.ends.After(now) {
			echo.over, echo.cut = true, echo.Close()
		}
	}
}

// deleted returns nil once no instance that has left or died has a server.
func (d *deletions) deleted() error {
	servers, err := rig.ServersState(d.config.Sockets()[0])
	if err != nil {
		return err
	}
	if want := 2 * 3; len(servers) != want { // of the steady group and of both groups
		return fmt.Errorf("%d servers, not %d", len(servers), want)
	}
	got, err := d.total("haproxyzk_backend_changes_total", `change="deleted"`)
	if err == nil && int(got) != len(d.groups) {
		err = fmt.Errorf("%v backends were deleted, not %d", got, len(d.groups))
	}
	return err
}

// row ends the load and returns what was counted.
func (d *deletions) row(took time.Duration) (string, error) {
	deleted, err1 := d.total("haproxyzk_server_deletions_total", `result="deleted"`)
	busy, err2 := d.total("haproxyzk_server_deletions_total", `result="busy"`)
	died, err3 := d.total("haproxyzk_worker_exits_total", `reason="died"`)
	if err := errors.Join(err1, err2, err3); err != nil {
		return "", err
	}
	living, dead := d.living.Stop(), d.dead.Stop()
	for _, more := range d.extra {
		living.Requests, living.Failures = living.Requests+more.Requests, living.Failures+more.Failures
	}
	if living.Failures > 0 {
		fmt.Println(living)
	}
	var cutStay, cutLeave int
	for _, echo := range d.stay {
		if echo.Cut() != nil {
			cutStay++
		}
	}
	for _, echo := range d.leave {
		if echo.cut != nil {
			cutLeave++
		}
	}
	return fmt.Sprintf("%.0f | %.0f | %.0f | %d, %d | %d, %d | %d, %d | %d of %d | %.0f s |",
		deleted, busy, died, living.Requests, living.Failures, len(d.stay), cutStay, len(d.leave), cutLeave, dead.Failures, dead.Requests, took.Seconds()), nil
}

// end closes everything that is open.
func (d *deletions) end() {
	d.endEchoes(time.Now().Add(echoesLast))
	_ = closeEchoes(d.stay) // counted before
	for _, load := range []*rig.Load{d.living, d.dead} {
		if load != nil {
			load.Stop()
		}
	}
}
