package daemon

import (
	"context"
	"log/slog"
	"os"
	"os/signal"
	"runtime"
	"runtime/debug"

	oklog "github.com/oklog/run"
	"golang.org/x/sys/unix"

	"github.com/haproxy-zk/haproxy-zk/exitcode"
	"github.com/haproxy-zk/haproxy-zk/supervisor"
)

// self is this executable, even if the file has been replaced since.
const self = "/proc/self/exe"

// frugal is GOGC of process 1, which allocates very little.
const frugal = 20

// RunProcessOne runs process 1 of a container until the daemon has stopped:
//
//	reaper    ─┐ waits for the daemon and for orphaned processes
//	signals   ─┼─▶ daemon   a child of the same executable that calls [Run];
//	daemon    ─┘            its end ends the others, or it is started again
//
// It stays small, since its end is HAProxy's. args are the arguments of the daemon, its
// name first. code is the exit code of the daemon, which has logged the reason.
func RunProcessOne(log *slog.Logger, args []string) (code int, err error) {
	runtime.GOMAXPROCS(1)
	debug.SetGCPercent(frugal)
	arriving := hearAllSignals()
	defer signal.Stop(arriving)
	reaper, err := supervisor.NewReaper(log)
	if err != nil {
		return exitcode.Failed, err
	}
	stop := newStopping()
	daemon := supervisor.NewProcessOne(supervisor.ProcessOneOptions{
		Path: self, Args: args,
		GraceStarts: stop.graceStarts, GraceOver: stop.graceOver,
		Reaper: reaper, Logger: log,
	})

	running, stopRunning := context.WithCancel(context.Background())
	defer stopRunning()
	listening, stopListening := context.WithCancel(context.Background())
	defer stopListening()
	reaping, stopReaping := context.WithCancel(context.Background())
	defer stopReaping()

	giveBackMemory()
	var g oklog.Group
	code = exitcode.Failed
	g.Add(func() error { return ended(log, "reaper", reaper.Run(reaping)) }, func(error) { stopReaping() })
	g.Add(func() error {
		passSignals(listening, arriving, stop, stopRunning, daemon.Signal)
		return ended(log, "signals", nil)
	}, func(error) { stopListening() })
	g.Add(func() error {
		code = daemon.Run(running)
		return ended(log, "daemon", nil)
	}, func(error) { stopRunning() })
	err = g.Run()
	return code, err
}

// passSignals calls pass for every signal until ctx is done. It calls stop before
// passing the first signal that requests a stop.
func passSignals(ctx context.Context, arriving <-chan os.Signal, stopping *stopping, stop func(), pass func(unix.Signal)) {
	for {
		select {
		case <-ctx.Done():
			return
		case sig := <-arriving:
			if _, now := stopping.advance(sig); now != running {
				stop()
			}
			pass(sig.(unix.Signal))
		}
	}
}

// hearAllSignals starts to receive all signals meant for the daemon. The others are
// sent to this very process by the kernel and the runtime.
func hearAllSignals() chan os.Signal {
	// As in the daemon: background processes that write to a terminal get these.
	signal.Ignore(unix.SIGTTIN, unix.SIGTTOU)
	signal.Notify(make(chan os.Signal, 1), unix.SIGPIPE)
	var all []os.Signal
	for sig := unix.Signal(1); sig < maxSignal; sig++ {
		switch sig {
		case unix.SIGKILL, unix.SIGSTOP, unix.SIGCHLD, unix.SIGURG, unix.SIGPIPE, unix.SIGTTIN, unix.SIGTTOU:
		default:
			all = append(all, sig)
		}
	}
	arriving := make(chan os.Signal, maxSignal)
	signal.Notify(arriving, all...)
	return arriving
}

// maxSignal is one more than the kernel's highest signal.
const maxSignal = 65
