package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"golang.org/x/sys/unix"

	"github.com/haproxy-zk/haproxy-zk/e2e/rig"
	"github.com/haproxy-zk/haproxy-zk/haproxy"
	"github.com/haproxy-zk/haproxy-zk/registry"
	"github.com/haproxy-zk/haproxy-zk/supervisor"
)

// reloader is an HAProxy under the supervisor, whose reloads are timed, and a second
// one that is started without it.
type reloader struct {
	path     string
	reaper   *supervisor.Reaper
	haproxy  *supervisor.HAProxy
	prober   *timedProber
	launch   registry.Launch
	serving  []int
	bareFile string
	barePIDs string
	bare     haproxy.Prober
}

const (
	endsWithin  = 20 * time.Second
	startWithin = 20 * time.Second
)

// serveReloads writes reloadRounds to stdout. The arguments come from the command line.
func serveReloads(ctx context.Context, path, dir, slots, rounds string) (err error) {
	size, err := strconv.Atoi(slots)
	if err != nil {
		return err
	}
	count, err := strconv.Atoi(rounds)
	if err != nil {
		return err
	}
	log := slog.New(slog.DiscardHandler)
	reaper, err := supervisor.NewReaper(log)
	if err != nil {
		return err
	}
	reaping, stopReaping := context.WithCancel(context.Background())
	reaped := make(chan error, 1)
	go func() { reaped <- reaper.Run(reaping) }()
	defer func() {
		stopReaping()
		err = errors.Join(err, <-reaped)
	}()

	r := &reloader{path: path, reaper: reaper}
	checked, err := r.prepare(ctx, dir, size)
	if err != nil {
		return err
	}
	socket := filepath.Join(dir, "socket")
	r.prober = &timedProber{prober: haproxy.Prober{Sockets: []string{socket}, Timeout: time.Second}}
	r.haproxy = supervisor.New(supervisor.Options{
		Proxy: "bench", Exec: path, Sockets: []string{socket},
		ConfFile: filepath.Join(dir, "conf"), PIDFile: filepath.Join(dir, "pid"), StopGrace: time.Second,
		Reaper: reaper, Prober: r.prober, Logger: log, Metrics: supervisor.NewMetrics(prometheus.NewRegistry()),
	})
	running, stop := context.WithCancel(context.Background())
	stopped := make(chan error, 1)
	go func() { stopped <- r.haproxy.Run(running) }()
	defer func() {
		stop()
		err = errors.Join(err, <-stopped)
	}()

	if r.serving, err = r.haproxy.Reload(ctx, r.launch); err != nil {
		return err
	}
	got := reloadRounds{Checked: checked}
	for i := range count {
		var round reloadRound
		sides := []func(context.Context, *reloadRound) error{r.reload, r.startBare}
		if i%2 == 1 {
			slices.Reverse(sides)
		}
		for _, side := range sides {
			if err := side(ctx, &round); err != nil {
				return err
			}
		}
		got.Rounds = append(got.Rounds, round)
	}
	return json.NewEncoder(os.Stdout).Encode(got)
}

// prepare renders one configuration for the supervisor and one for the bare start.
func (r *reloader) prepare(ctx context.Context, dir string, slots int) (checked bool, err error) {
	words, err := r.reaper.Output(ctx, r.path, "-v")
	if err != nil {
		return false, err
	}
	version, err := haproxy.ParseVersion(words)
	if err != nil {
		return false, err
	}
	checked = filesAllow(uint64(slots) + 5000)
	var rendered [2][]byte
	for i, socket := range []string{"socket", "bare.socket"} {
		port, err := rig.FreePort()
		if err != nil {
			return false, err
		}
		config, files, err := render(version, filepath.Join(dir, socket), port, slots, checked)
		if err != nil {
			return false, err
		}
		rendered[i] = config
		r.launch.FilesWanted, r.launch.FilesNeeded = files, files
	}
	r.launch.Config, r.launch.Cause = rendered[0], "bench"
	r.bareFile, r.barePIDs = filepath.Join(dir, "bare.conf"), filepath.Join(dir, "bare.pid")
	r.bare = haproxy.Prober{Sockets: []string{filepath.Join(dir, "bare.socket")}, Timeout: time.Second}
	return checked, os.WriteFile(r.bareFile, rendered[1], 0o600)
}

// reload times one reload, and waits until the old generation has ended.
func (r *reloader) reload(ctx context.Context, round *reloadRound) error {
	r.prober.calls = nil
	begun := time.Now()
	pids, err := r.haproxy.Reload(ctx, r.launch)
	ended := time.Now()
	if err != nil {
		return err
	}
	// The first query goes to the old generation, for its socket, the next one to the
	// new one.
	calls := r.prober.calls
	if len(calls) != 2 {
		return fmt.Errorf("a reload asked the stats socket %d times, not twice", len(calls))
	}
	round.Write = calls[0].begun.Sub(begun)
	round.Launch = calls[1].begun.Sub(calls[0].begun)
	round.Proof = calls[1].ended.Sub(calls[1].begun)
	round.Rest = ended.Sub(calls[1].ended)
	old := r.serving
	r.serving = pids
	return gone(ctx, old)
}

// startBare times the start of HAProxy without the supervisor, until it answers, and
// ends it.
func (r *reloader) startBare(ctx context.Context, round *reloadRound) (err error) {
	ctx, cancel := context.WithTimeout(ctx, startWithin)
	defer cancel()
	begun := time.Now()
	words, err := r.reaper.Output(ctx, r.path, "-D", "-f", r.bareFile, "-p", r.barePIDs)
	if err != nil {
		return fmt.Errorf("bare start: %w: %s", err, words)
	}
	pids, err := readPIDs(r.barePIDs)
	if err != nil {
		return err
	}
	answered, err := r.bare.Probe(ctx, pids)
	round.Bare = time.Since(begun)
	err = errors.Join(err, terminate(pids))
	if len(answered) < len(pids) {
		err = errors.Join(err, fmt.Errorf("bare start: %d of %d workers answer", len(answered), len(pids)))
	}
	return errors.Join(err, gone(context.WithoutCancel(ctx), pids))
}

// gone waits until processes have ended, so that they do not disturb the next
// measurement.
func gone(ctx context.Context, pids []int) error {
	return rig.Eventually(ctx, endsWithin, func() error {
		for _, pid := range pids {
			if err := unix.Kill(pid, 0); !errors.Is(err, unix.ESRCH) {
				return fmt.Errorf("process %d has not ended: %w", pid, err)
			}
		}
		return nil
	})
}

// filesAllow raises the limit of open files if necessary and possible.
func filesAllow(files uint64) bool {
	var limit unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &limit); err != nil {
		return false
	}
	if limit.Max >= files {
		return true
	}
	limit.Max = files
	return unix.Setrlimit(unix.RLIMIT_NOFILE, &limit) == nil
}

// timedProber records when it was called. The times may be read between reloads.
type timedProber struct {
	prober haproxy.Prober
	calls  []span
}

type span struct{ begun, ended time.Time }

func (p *timedProber) Probe(ctx context.Context, pids []int) (map[int]string, error) {
	begun := time.Now()
	answered, err := p.prober.Probe(ctx, pids)
	p.calls = append(p.calls, span{begun, time.Now()})
	return answered, err
}
