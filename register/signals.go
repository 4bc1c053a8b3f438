package register

import (
	"os"
	"os/signal"

	"golang.org/x/sys/unix"
)

// maxSignal is one more than the kernel's highest signal.
const maxSignal = 65

// Signals are the signals that have arrived. os/signal drops what finds no room: those
// that request a stop have their own channel, which a flood of others does not fill.
type Signals struct{ stops, others chan os.Signal }

// HearSignals starts to receive every signal that is to be forwarded. The others are sent
// to this very process by the kernel, the terminal and the runtime. None is ignored, since
// the command would inherit that.
func HearSignals() Signals {
	signal.Notify(make(chan os.Signal, 1), unix.SIGPIPE, unix.SIGTTIN, unix.SIGTTOU)
	s := Signals{make(chan os.Signal, 4), make(chan os.Signal, maxSignal)}
	signal.Notify(s.stops, unix.SIGTERM, unix.SIGINT)
	var others []os.Signal
	for sig := unix.Signal(1); sig < maxSignal; sig++ {
		switch sig {
		case unix.SIGKILL, unix.SIGSTOP, unix.SIGCHLD, unix.SIGURG, unix.SIGPIPE, unix.SIGTTIN, unix.SIGTTOU,
			unix.SIGABRT, unix.SIGBUS, unix.SIGFPE, unix.SIGILL, unix.SIGSEGV, unix.SIGSYS, unix.SIGTRAP,
			unix.SIGTERM, unix.SIGINT:
		default:
			others = append(others, sig)
		}
	}
	signal.Notify(s.others, others...)
	return s
}

// Close stops receiving signals, which then have their usual effect.
func (s Signals) Close() {
	signal.Stop(s.stops)
	signal.Stop(s.others)
}
