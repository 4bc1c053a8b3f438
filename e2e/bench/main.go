// Command bench measures from end to end, on every HAProxy:
//
// live: the time from the create of a znode to the first request that the new
// instance answers, and from its delete to the last one. Each round of
// haproxy-zk is followed by a round of the floor, the minimum that updates
// HAProxy: a bare watch, one getChildren and one write to the stats socket of
// another HAProxy with the same configuration. With -against its baseline is another
// executable of haproxy-zk, such as that of an earlier revision.
//
// reload: the duration of a reload, compared with a bare start of HAProxy with
// the same configuration.
//
// load: the requests per second through the proxy with and without reloads.
//
// scale: start, bursts of changes, idle CPU time and memory with 20,000 servers, and
// what a change costs beside 100, 1,000 and 5,000 groups.
//
// routes: HAProxy's CPU time per request with groups found in a map, compared with two
// ACLs for each group.
//
// kept: the requests per second and the latency of kept clients, beside a static
// HAProxy, while nothing changes and while instances are replaced.
//
// registrations: a start with 19,000 instances with and without data, the time from a
// znode to the first request by format, from a weight to all workers, and from
// haproxy-zk register to the first request.
//
// carry: first requests, a day of churn and 19,000 instances in all, by each way to give
// instances servers, on HAProxy 3.4 and later, 2,000 instances at once and the deletion of
// 1,000 servers under load on all that delete servers.
//
// commands: how long get, explain, top and status take beside 19,000 instances.
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
	rounds := flag.Int("rounds", 400, "number of times an instance is added and removed, per HAProxy")
	against := flag.String("against", "", "executable of another haproxy-zk that live is compared with")
	only := flag.String("only", "", "measure one of live, reload, load, scale, routes, kept, registrations, commands and carry; default: all")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), unix.SIGINT, unix.SIGTERM)
	defer stop()
	ctx, cancel := context.WithTimeout(ctx, time.Hour)
	defer cancel()
	if err := run(ctx, *only, *against, *rounds, flag.Args()); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

// run measures, or is one of the child processes of bench.
func run(ctx context.Context, only, against string, rounds int, args []string) error {
	if len(args) > 0 {
		switch {
		case len(args) >= 4 && args[0] == "follow":
			return fmt.Errorf("the floor ended: %w", follow(args[1], args[2], args[3:]))
		case len(args) == 5 && args[0] == "reloads":
			return serveReloads(ctx, args[1], args[2], args[3], args[4])
		}
		return fmt.Errorf("it takes no arguments: %q", args)
	}
	haproxies, err := rig.HAProxies()
	if err != nil {
		return err
	}
	known := false
	for _, part := range []struct {
		name    string
		measure func(context.Context, []rig.HAProxy) error
	}{
		{"live", func(ctx context.Context, hs []rig.HAProxy) error { return live(ctx, hs, rounds, against) }},
		{"reload", reload},
		{"load", load},
		{"scale", scale},
		{"routes", routes},
		{"kept", kept},
		{"registrations", registrations},
		{"commands", commands},
		{"carry", carry},
	} {
		if only != "" && only != part.name {
			continue
		}
		known = true
		if err := part.measure(ctx, haproxies); err != nil {
			return fmt.Errorf("%s: %w", part.name, err)
		}
	}
	if !known {
		return fmt.Errorf("-only is live, reload, load, scale, routes, kept, registrations, commands or carry, not %q", only)
	}
	return nil
}

func live(ctx context.Context, haproxies []rig.HAProxy, rounds int, against string) error {
	printHeader(rounds)
	for _, h := range haproxies {
		for _, s := range settings(h, against) {
			ours, baseline, err := compare(ctx, h, s, rounds, against)
			if err != nil {
				return fmt.Errorf("HAProxy %s, %s: %w", h, s, err)
			}
			printRow(h.Name, s, "create to first request", ours.first, baseline.first)
			printRow(h.Name, s, "delete to last request", ours.last, baseline.last)
		}
	}
	return nil
}
