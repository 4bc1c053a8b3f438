package main

import (
	"fmt"
	"slices"
	"time"
)

func printHeader(rounds int) {
	fmt.Printf("%d rounds of each, in turn; milliseconds\n\n", rounds)
	fmt.Println("| HAProxy | what | p50 | floor p50 | ratio | p99 | floor p99 | ratio |")
	fmt.Println("|---|---|---|---|---|---|---|---|")
}

func printRow(haproxy, what string, ours, floor []time.Duration) {
	fmt.Printf("| %s | %s |", haproxy, what)
	for _, p := range []int{50, 99} {
		a, b := percentile(ours, p), percentile(floor, p)
		fmt.Printf(" %.2f | %.2f | %.2f |", ms(a), ms(b), ms(a)/ms(b))
	}
	fmt.Println()
}

// percentile is the smallest value that p percent of all do not exceed.
func percentile(of []time.Duration, p int) time.Duration {
	sorted := slices.Sorted(slices.Values(of))
	return sorted[(len(sorted)*p+99)/100-1]
}

func ms(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }
