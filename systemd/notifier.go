package systemd

import (
	"context"
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

const (
	servesPoll = 50 * time.Millisecond
	statusPoll = time.Second
)

// Notifier sends the state of the process to systemd. The zero Notifier, and one created
// without a NOTIFY_SOCKET, does nothing. Any goroutine may call its methods. They take at
// most a second; an error means that systemd did not get the datagram, which has no other
// effect.
type Notifier struct {
	socket *socket // nil: no systemd
	// watchdog is the interval that systemd expects; 0 is none.
	watchdog time.Duration
}

// FromEnvironment reads NOTIFY_SOCKET, WATCHDOG_USEC and WATCHDOG_PID, which systemd sets
// in the environment, and removes them: HAProxy inherits the environment and must not
// notify systemd for this process.
func FromEnvironment() Notifier {
	n := Notifier{socket: newSocket(os.Getenv("NOTIFY_SOCKET"))}
	usec, err := strconv.ParseInt(os.Getenv("WATCHDOG_USEC"), 10, 64)
	pid := os.Getenv("WATCHDOG_PID")
	if err == nil && usec > 0 && n.socket != nil && (pid == "" || pid == strconv.Itoa(os.Getpid())) {
		n.watchdog = time.Duration(usec) * time.Microsecond
	}
	for _, name := range []string{"NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID"} {
		_ = os.Unsetenv(name) // cannot fail for a valid name
	}
	return n
}

// Ready reports that the proxies are serving, or that a reload is over.
func (n Notifier) Ready() error { return n.send("READY=1") }

// Reloading reports that the configuration is being read again; Ready follows.
func (n Notifier) Reloading() error {
	var now unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_MONOTONIC, &now); err != nil {
		return fmt.Errorf("notify systemd: %w", err)
	}
	return n.send(fmt.Sprintf("RELOADING=1\nMONOTONIC_USEC=%d", now.Nano()/1000))
}

// Status reports the state in one line, which `systemctl status` shows.
func (n Notifier) Status(text string) error { return n.send("STATUS=" + text) }

// Stopping reports that a stop has begun.
func (n Notifier) Stopping() error { return n.send("STOPPING=1") }

// Run calls Ready once serves returns nil. From then on it feeds the watchdog, at half of
// its interval, as long as alive returns nil. It also reports the result of serves
// whenever it changes. It runs until ctx is done and returns nil. serves and alive are
// called from its goroutine and must not block.
func (n Notifier) Run(ctx context.Context, serves func() error, alive func() error) error {
	if n.socket == nil {
		<-ctx.Done()
		return nil
	}
	reported := ""
	look := func() error {
		err := serves()
		if text := condition(err); text != reported && n.Status(text) == nil {
			reported = text
		}
		return err
	}
	begin := time.NewTicker(servesPoll)
	defer begin.Stop()
	for look() != nil || n.Ready() != nil {
		select {
		case <-ctx.Done():
			return nil
		case <-begin.C:
		}
	}
	status := time.NewTicker(statusPoll)
	defer status.Stop()
	var due <-chan time.Time // never without a watchdog
	if n.watchdog > 0 {
		tick := time.NewTicker(n.watchdog / 2)
		defer tick.Stop()
		due = tick.C
		n.feedWatchdog(alive)
	}
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-status.C:
			_ = look() // checked again soon
		case <-due:
			n.feedWatchdog(alive)
		}
	}
}

// feedWatchdog notifies the watchdog if the process is alive.
func (n Notifier) feedWatchdog(alive func() error) {
	if alive() == nil {
		_ = n.send("WATCHDOG=1") // the next one is due soon
	}
}

// condition returns the status line for a result of serves.
func condition(err error) string {
	if err == nil {
		return "all proxies are serving"
	}
	return "not ready: " + strings.Join(strings.Fields(err.Error()), " ")
}

// send sends one datagram.
func (n Notifier) send(state string) error {
	if n.socket == nil {
		return nil
	}
	if err := n.socket.send(state); err != nil {
		return fmt.Errorf("notify systemd: %w", err)
	}
	return nil
}
