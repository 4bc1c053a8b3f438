package main

import (
	"fmt"
	"slices"
	"time"

	"github.com/haproxy-zk/haproxy-zk/e2e/rig"
)

func printHeader(rounds int) {
	fmt.Printf("%d rounds of each, in turn; milliseconds\n\n", rounds)
	fmt.Println("| HAProxy | groups | workers | what | p50 | baseline p50 | ratio | p99 | baseline p99 | ratio |")
	fmt.Println("|---|---|---|---|---|---|---|---|---|---|")
}

func printRow(haproxy string, in setting, what string, ours, baseline []time.Duration) {
	fmt.Printf("| %s | %d | %d | %s |", haproxy, in.groups, in.workers, what)
	for _, p := range []int{50, 99} {
		a, b := percentile(ours, p), percentile(baseline, p)
		fmt.Printf(" %.2f | %.2f | %.2f |", ms(a), ms(b), ms(a)/ms(b))
	}
	fmt.Println()
}

// percentile returns the p-th percentile: the smallest value that p percent do not
// exceed.
func percentile(of []time.Duration, p int) time.Duration {
	sorted := slices.Sorted(slices.Values(of))
	return sorted[(len(sorted)*p+99)/100-1]
}

func ms(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }

func printReloadHeader() {
	fmt.Print("\nA reload beside a bare start of the same file, in turn; medians, milliseconds\n\n")
	fmt.Println("| HAProxy | slots | rounds | reload | bare start | ratio | write | launch | proof | rest |")
	fmt.Println("|---|---|---|---|---|---|---|---|---|---|")
}

func printReloadRow(haproxy string, slots int, rounds []reloadRound) {
	median := func(part func(reloadRound) time.Duration) float64 {
		var all []time.Duration
		for _, r := range rounds {
			all = append(all, part(r))
		}
		return ms(percentile(all, 50))
	}
	whole, bare := median(reloadRound.reload), median(func(r reloadRound) time.Duration { return r.Bare })
	fmt.Printf("| %s | %d | %d | %.1f | %.1f | %.2f | %.1f | %.1f | %.1f | %.1f |\n", haproxy, slots, len(rounds), whole, bare, whole/bare,
		median(func(r reloadRound) time.Duration { return r.Write }),
		median(func(r reloadRound) time.Duration { return r.Launch }),
		median(func(r reloadRound) time.Duration { return r.Proof }),
		median(func(r reloadRound) time.Duration { return r.Rest }))
}

func printLoadHeader() {
	fmt.Print("\nRequests per second in windows without and with a reload, in turn; medians, and that of the pairs' ratios\n\n")
	fmt.Println("| HAProxy | reloads | without | with | ratio | requests | failures |")
	fmt.Println("|---|---|---|---|---|---|---|")
}

func printLoadRow(haproxy string, got []loadPair, whole rig.Result) {
	median := func(of func(loadPair) float64) float64 {
		var all []float64
		for _, p := range got {
			all = append(all, of(p))
		}
		slices.Sort(all)
		return all[len(all)/2]
	}
	fmt.Printf("| %s | %d | %.0f | %.0f | %.2f | %d | %d |\n", haproxy, len(got),
		median(func(p loadPair) float64 { return p.quiet }), median(func(p loadPair) float64 { return p.busy }), median(loadPair.ratio),
		whole.Requests, whole.Failures)
}

func printRoutesHeader() {
	fmt.Print("\nHAProxy's CPU time per request, in turn; microseconds\n\n")
	fmt.Println("| HAProxy | groups | two ACLs each | map | ratio | requests |")
	fmt.Println("|---|---|---|---|---|---|")
}

func printRoutesRow(haproxy string, groups int, acls, mapped *routed) {
	us := func(r *routed) float64 { return float64(r.perRequest()) / float64(time.Microsecond) }
	fmt.Printf("| %s | %d | %.0f | %.0f | %.1f | %d |\n", haproxy, groups, us(acls), us(mapped), us(acls)/us(mapped), acls.requests+mapped.requests)
}

func printKeptHeader() {
	fmt.Printf("\n%d kept clients, beside a static HAProxy, in turn; medians of %d windows and of the ratios of requests per second\n\n", keptClients, keptPairs)
	fmt.Println("| HAProxy, workers | while | requests/s | static | ratio | p99 ms | static |")
	fmt.Println("|---|---|---|---|---|---|---|")
}

func printKeptRow(haproxy, what string, pairs []keptPair) {
	median := func(of func(keptPair) float64) float64 {
		var all []float64
		for _, p := range pairs {
			all = append(all, of(p))
		}
		slices.Sort(all)
		return all[len(all)/2]
	}
	p99 := func(w keptWindow) float64 { return ms(percentile(w.latencies, 99)) }
	fmt.Printf("| %s | %s | %.0f | %.0f | %.2f | %.2f | %.2f |\n", haproxy, what,
		median(func(p keptPair) float64 { return p.ours.perSecond }),
		median(func(p keptPair) float64 { return p.static.perSecond }),
		median(func(p keptPair) float64 { return p.ours.perSecond / p.static.perSecond }),
		median(func(p keptPair) float64 { return p99(p.ours) }),
		median(func(p keptPair) float64 { return p99(p.static) }))
}

func printStarts(haproxy string, names, data []time.Duration) {
	fmt.Printf("\n1,000 groups of 19 instances, found; %d starts of each, in turn; from the start of haproxy-zk until it is ready, medians\n\n", dataStarts)
	fmt.Println("| HAProxy | named ip:port | with data (Spring Cloud) | ratio |")
	fmt.Println("|---|---|---|---|")
	a, b := percentile(names, 50), percentile(data, 50)
	fmt.Printf("| %s | %.0f ms | %.0f ms | %.2f |\n", haproxy, ms(a), ms(b), b.Seconds()/a.Seconds())
}

func printFormats(haproxy string, sides []*formatSide) {
	fmt.Printf("\nFrom the create of a znode to the first request, %d rounds of each format, in turn; milliseconds, beside the format name\n\n", formatRounds)
	fmt.Println("| HAProxy | format | p50 | ratio | p99 | ratio |")
	fmt.Println("|---|---|---|---|---|---|")
	for _, s := range sides {
		fmt.Printf("| %s | %s |", haproxy, s.format)
		for _, p := range []int{50, 99} {
			a, b := percentile(s.figures.first, p), percentile(sides[0].figures.first, p)
			fmt.Printf(" %.2f | %.2f |", ms(a), ms(a)/ms(b))
		}
		fmt.Println()
	}
}

func printWeights(haproxy string, workers int, took []time.Duration) {
	fmt.Printf("\nFrom the change of a registered weight until all workers have it, %d changes, %d workers of HAProxy %s: p50 %.2f ms, p99 %.2f ms\n",
		len(took), workers, haproxy, ms(percentile(took, 50)), ms(percentile(took, 99)))
}

func printRegister(haproxy string, took registering) {
	fmt.Printf("\nhaproxy-zk register, %d instances of the format name one after another; milliseconds until the first request\n\n", len(took.fromStart))
	fmt.Println("| HAProxy | from | p50 | p99 |")
	fmt.Println("|---|---|---|---|")
	for _, row := range []struct {
		from string
		all  []time.Duration
	}{{"start of register", took.fromStart}, {"its node", took.fromNode}} {
		fmt.Printf("| %s | %s | %.1f | %.1f |\n", haproxy, row.from, ms(percentile(row.all, 50)), ms(percentile(row.all, 99)))
	}
}
