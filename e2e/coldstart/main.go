// Command coldstart measures how soon a new container serves: from `docker run` to the
// first good answer, for the image of haproxy-zk, which finds its instance in
// ZooKeeper, and for its plain base image, which has the instance in a static
// configuration; alternating, in one run.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"slices"
	"time"

	"golang.org/x/sys/unix"
)

const atMost = 10 * time.Minute

func main() {
	image := flag.String("image", "", "image of haproxy-zk")
	zookeeper := flag.String("zookeeper", "haproxy-zk-test-zookeeper:latest", "image of ZooKeeper")
	app := flag.String("app", "haproxy-zk-test-app:latest", "image of e2e/app")
	rounds := flag.Int("rounds", 21, "how often each is started")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), unix.SIGINT, unix.SIGTERM)
	defer stop()
	ctx, cancel := context.WithTimeout(ctx, atMost)
	defer cancel()
	if err := measure(ctx, *image, *zookeeper, *app, *rounds); err != nil {
		fmt.Fprintln(os.Stderr, "coldstart:", err)
		os.Exit(1)
	}
}

func measure(ctx context.Context, image, zookeeper, app string, rounds int) (err error) {
	s, err := newStage(ctx, image, zookeeper, app)
	defer func() { err = errors.Join(err, s.close()) }()
	if err != nil {
		return err
	}
	var plain, ours []time.Duration
	for round := range rounds + 1 {
		p, err := s.serves(ctx, s.plain())
		if err != nil {
			return err
		}
		o, err := s.serves(ctx, s.ours())
		if err != nil {
			return err
		}
		if round > 0 { // the first round fills the machine's caches
			plain, ours = append(plain, p), append(ours, o)
		}
	}
	fmt.Printf("from docker run to the first answer, %d rounds of each in turn, milliseconds:\n\n| image | p50 | p90 |\n|---|---|---|\n", rounds)
	fmt.Printf("| the base %s with a static configuration | %.0f | %.0f |\n", s.base, ms(quantile(plain, 50)), ms(quantile(plain, 90)))
	fmt.Printf("| %s with ZooKeeper | %.0f | %.0f |\n", image, ms(quantile(ours, 50)), ms(quantile(ours, 90)))
	fmt.Printf("\nmore: %.0f ms at the median\n", ms(quantile(ours, 50)-quantile(plain, 50)))
	return nil
}

func quantile(all []time.Duration, percent int) time.Duration {
	sorted := slices.Sorted(slices.Values(all))
	return sorted[(len(sorted)-1)*percent/100]
}

func ms(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }
