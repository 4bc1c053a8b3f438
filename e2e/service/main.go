// Command service is an instance of an application that registers nowhere: it is what
// haproxy-zk register is for. It answers requests like every [rig.App].
//
//	LISTEN       where it listens, ip:port
//	APP          the application's name
//	START_AFTER  how long it takes until it listens; default: 0s
//	EXIT_CODE    its exit code after TERM, on which it finishes running requests
//
// USR1 makes its health check fail, USR2 makes it succeed again. HUP is printed.
package main

import (
	"cmp"
	"fmt"
	"os"
	"os/signal"
	"strconv"
	"time"

	"golang.org/x/sys/unix"

	"github.com/haproxy-zk/haproxy-zk/e2e/rig"
)

func main() {
	signals := make(chan os.Signal, 8)
	signal.Notify(signals, unix.SIGTERM, unix.SIGINT, unix.SIGUSR1, unix.SIGUSR2, unix.SIGHUP)
	code, err := run(signals)
	if err != nil {
		fmt.Fprintln(os.Stderr, "service:", err)
	}
	os.Exit(code)
}

func run(signals <-chan os.Signal) (code int, err error) {
	code, err = strconv.Atoi(cmp.Or(os.Getenv("EXIT_CODE"), "0"))
	if err != nil {
		return 1, err
	}
	after, err := time.ParseDuration(cmp.Or(os.Getenv("START_AFTER"), "0s"))
	if err != nil {
		return 1, err
	}
	select {
	case <-time.After(after):
	case <-signals:
		return code, nil
	}
	app, err := rig.StartAppAt(os.Getenv("APP"), os.Getenv("LISTEN"))
	if err != nil {
		return 1, err
	}
	for sig := range signals {
		fmt.Println("service got", sig)
		switch sig {
		case unix.SIGUSR1, unix.SIGUSR2:
			app.SetHealthy(sig == unix.SIGUSR2)
		case unix.SIGHUP:
		default:
			return code, app.Stop()
		}
	}
	return code, nil
}
