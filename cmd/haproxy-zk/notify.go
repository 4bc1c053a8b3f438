package main

import (
	"context"
	"fmt"
	"net"
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

// notifier tells systemd how it goes: sd_notify(3). Without a NOTIFY_SOCKET it
// does nothing. Its methods may be called from any goroutine; an error means
// that systemd was not told, which harms nothing here.
type notifier struct {
	socket string
	// watchdog is how often systemd wants to hear of it; 0 is never.
	watchdog time.Duration
}

// newNotifier reads what systemd has put into the environment, and removes it:
// HAProxy, which gets the environment, is not to speak for this process.
func newNotifier() notifier {
	n := notifier{socket: os.Getenv("NOTIFY_SOCKET")}
	usec, err := strconv.ParseInt(os.Getenv("WATCHDOG_USEC"), 10, 64)
	pid := os.Getenv("WATCHDOG_PID")
	if err == nil && usec > 0 && n.socket != "" && (pid == "" || pid == strconv.Itoa(os.Getpid())) {
		n.watchdog = time.Duration(usec) * time.Microsecond
	}
	for _, name := range []string{"NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID"} {
		_ = os.Unsetenv(name) // it fails for no name that is one
	}
	return n
}

// ready is told when the proxies serve, and again when a reload is over.
func (n notifier) ready() error { return n.send("READY=1") }

// reloading is told when the configuration is read again; ready follows.
func (n notifier) reloading() error {
	var now unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_MONOTONIC, &now); err != nil {
		return fmt.Errorf("notify systemd: %w", err)
	}
	return n.send(fmt.Sprintf("RELOADING=1\nMONOTONIC_USEC=%d", now.Nano()/1000))
}

// status is told when it is another: `systemctl status` shows it.
func (n notifier) status(text string) error { return n.send("STATUS=" + text) }

// stopping is told when the stop begins.
func (n notifier) stopping() error { return n.send("STOPPING=1") }

// run tells once that all is ready, when serves first returns nil; from then on,
// at half the watchdog's interval, that all is well as long as alive returns nil;
// and all the time what serves returns, when that changes. It runs until ctx is
// done and returns nil.
func (n notifier) run(ctx context.Context, serves func() error, alive func(context.Context) error) error {
	if n.socket == "" {
		<-ctx.Done()
		return nil
	}
	told := ""
	look := func() error {
		err := serves()
		if text := condition(err); text != told && n.status(text) == nil {
			told = text
		}
		return err
	}
	begin := time.NewTicker(servesPoll)
	defer begin.Stop()
	for look() != nil || n.ready() != nil {
		select {
		case <-ctx.Done():
			return nil
		case <-begin.C:
		}
	}
	status := time.NewTicker(statusPoll)
	defer status.Stop()
	var due <-chan time.Time // never, without a watchdog
	if n.watchdog > 0 {
		tick := time.NewTicker(n.watchdog / 2)
		defer tick.Stop()
		due = tick.C
		n.well(ctx, alive)
	}
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-status.C:
			_ = look() // it is looked at again soon
		case <-due:
			n.well(ctx, alive)
		}
	}
}

// well tells the watchdog that all is well, if it is.
func (n notifier) well(ctx context.Context, alive func(context.Context) error) {
	if alive(ctx) == nil {
		_ = n.send("WATCHDOG=1") // the next one is due soon
	}
}

// condition is one line for what serves returned.
func condition(err error) string {
	if err == nil {
		return "all proxies serve"
	}
	return "not ready: " + strings.Join(strings.Fields(err.Error()), " ")
}

// send sends one datagram. A name that begins with @ is one of the abstract
// namespace, as net has it too.
func (n notifier) send(state string) error {
	if n.socket == "" {
		return nil
	}
	conn, err := net.DialUnix("unixgram", nil, &net.UnixAddr{Name: n.socket, Net: "unixgram"})
	if err != nil {
		return fmt.Errorf("notify systemd: %w", err)
	}
	defer conn.Close()
	if err := conn.SetWriteDeadline(time.Now().Add(time.Second)); err != nil {
		return fmt.Errorf("notify systemd: %w", err)
	}
	if _, err := conn.Write([]byte(state)); err != nil {
		return fmt.Errorf("notify systemd: %w", err)
	}
	return nil
}
