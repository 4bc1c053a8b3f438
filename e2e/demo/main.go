// Command demo shows haproxy-zk at work: a real ZooKeeper, five applications that
// register themselves, HAProxy with the seed's configuration and two workers, and load
// through its listener while every application is replaced.
package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"time"

	"golang.org/x/sys/unix"
)

const (
	compiling = 15 * time.Minute
	atMost    = 3 * time.Minute
	front     = "web-ngboss"
	base      = "web-basecentre"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), unix.SIGINT, unix.SIGTERM)
	defer stop()
	if err := demo(ctx); err != nil {
		fmt.Fprintln(os.Stderr, "demo:", err)
		os.Exit(1)
	}
}

// demo compiles before the show begins, so that it does not affect the shown times.
func demo(ctx context.Context) (err error) {
	s := &show{}
	if err := s.prepare(ctx); err != nil {
		return err
	}
	s.begun = time.Now()
	ctx, cancel := context.WithTimeout(ctx, atMost)
	defer cancel()
	defer func() {
		if closeErr := s.close(); err == nil {
			err = closeErr
		}
	}()
	for _, scene := range []func(context.Context) error{s.zookeeper, s.applications, s.daemon, s.replaceAll} {
		if err := scene(ctx); err != nil {
			return err
		}
	}
	return s.summary()
}
