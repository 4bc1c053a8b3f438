// Command bench measures from end to end: the time from the create of a znode
// to the first request that the new instance answers, and from its delete to the
// last one. Each round of haproxy-zk is followed by a round of the floor: the
// least that can do it, a bare watch, one getChildren and one write to the stats
// socket of another HAProxy with the same configuration.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"time"

	"golang.org/x/sys/unix"

	"github.com/haproxy-zk/haproxy-zk/e2e/rig"
)

func main() {
	rounds := flag.Int("rounds", 400, "how often an instance comes and goes, on each HAProxy")
	flag.Parse()
	if args := flag.Args(); len(args) == 4 && args[0] == "follow" {
		fmt.Fprintln(os.Stderr, "the floor ended:", follow(args[1], args[2], args[3]))
		os.Exit(1)
	}
	ctx, stop := signal.NotifyContext(context.Background(), unix.SIGINT, unix.SIGTERM)
	defer stop()
	ctx, cancel := context.WithTimeout(ctx, 15*time.Minute)
	defer cancel()
	if err := bench(ctx, *rounds); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func bench(ctx context.Context, rounds int) error {
	haproxies, err := rig.HAProxies()
	if err != nil {
		return err
	}
	printHeader(rounds)
	for _, h := range haproxies {
		ours, floor, err := compare(ctx, h, rounds)
		if err != nil {
			return fmt.Errorf("HAProxy %s: %w", h, err)
		}
		printRow(h.Name, "create to first request", ours.first, floor.first)
		printRow(h.Name, "delete to last request", ours.last, floor.last)
	}
	return nil
}
