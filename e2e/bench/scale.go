package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/haproxy-zk/haproxy-zk/e2e/rig"
)

const (
	starts       = 3
	settling     = 20 * time.Second // after a start, whose memory is given back, and owners of nodes asked for
	idle         = time.Minute
	burstChanges = 10_000
	manyBursts   = 10
	scaleLimit   = 10 * time.Minute // for one HAProxy
)

// scale measures with 20,000 servers, and what a change costs beside few and many groups.
func scale(ctx context.Context, haproxies []rig.HAProxy) error {
	printScaleHeader()
	for _, h := range haproxies {
		got, err := measureScale(ctx, h)
		if err != nil {
			return fmt.Errorf("HAProxy %s: %w", h, err)
		}
		printScaleRow(h.Name, got)
	}
	printCurveHeader()
	for _, h := range haproxies {
		for _, groups := range []int{100, 1000, 5000} {
			got, err := measureCurve(ctx, h, groups)
			if err != nil {
				return fmt.Errorf("HAProxy %s, %d groups: %w", h, groups, err)
			}
			printCurveRow(h.Name, groups, got)
		}
	}
	return nil
}

// scaleFigures are those of 1,000 groups with 20 slots each.
type scaleFigures struct {
	start, bare []time.Duration
	idle        float64 // share of a core
	burst       burst
	blast       time.Duration
	// memory is what was resident while nothing changed, early after one burst, after after
	// all, and rest some time later, in bytes.
	memory, early, after, rest int
}

func measureScale(ctx context.Context, h rig.HAProxy) (got scaleFigures, err error) {
	ctx, cancel := context.WithTimeout(ctx, scaleLimit)
	defer cancel()
	e, err := newEstate(ctx, h, size{1000, 20, 10}, byName)
	if err != nil {
		return got, err
	}
	defer func() { err = errors.Join(err, e.close()) }()
	for range starts {
		took, err := e.start(ctx)
		if err == nil {
			err = e.stop()
		}
		if err != nil {
			return got, err
		}
		bare, err := e.startBare(ctx)
		if err != nil {
			return got, err
		}
		got.start, got.bare = append(got.start, took), append(got.bare, bare)
	}
	if _, err := e.start(ctx); err != nil {
		return got, err
	}
	if got.idle, err = e.idleShare(ctx); err != nil {
		return got, err
	}
	if _, got.memory, err = e.worked(); err != nil {
		return got, err
	}
	for i := range manyBursts {
		b, err := e.change(ctx, burstChanges)
		if err != nil {
			return got, err
		}
		_, memory, err := e.worked()
		if err != nil {
			return got, err
		}
		if i == 0 {
			got.burst, got.early = b, memory
		}
		got.after = memory
	}
	if err := pass(ctx, settling); err != nil {
		return got, err
	}
	if _, got.rest, err = e.worked(); err != nil {
		return got, err
	}
	got.blast, err = e.blast(burstChanges)
	return got, err
}

// idleShare returns the share of a core that haproxy-zk uses while nothing changes.
func (e *estate) idleShare(ctx context.Context) (float64, error) {
	if err := pass(ctx, settling); err != nil {
		return 0, err
	}
	before, _, err := e.worked()
	if err != nil {
		return 0, err
	}
	if err := pass(ctx, idle); err != nil {
		return 0, err
	}
	after, _, err := e.worked()
	return float64(after-before) / float64(idle), err
}

// pass waits.
func pass(ctx context.Context, d time.Duration) error {
	select {
	case <-time.After(d):
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// measureCurve returns the CPU time of one change beside a number of groups.
func measureCurve(ctx context.Context, h rig.HAProxy, groups int) (each time.Duration, err error) {
	const changes = 2000
	ctx, cancel := context.WithTimeout(ctx, scaleLimit)
	defer cancel()
	e, err := newEstate(ctx, h, size{groups, 4, 2}, byName)
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, e.close()) }()
	if _, err := e.start(ctx); err != nil {
		return 0, err
	}
	b, err := e.change(ctx, changes)
	return b.cpu / changes, err
}

func printScaleHeader() {
	fmt.Printf("\n1,000 groups of 20 slots, 10,000 instances; %d starts in turn, a burst of %d changes by %d writers, %d changes in all\n\n", starts, burstChanges, writers, manyBursts*burstChanges)
	fmt.Println("| HAProxy | start | bare start | idle, of a core | writing | until exact | ratio | commands alone | memory | after a burst | after all | later |")
	fmt.Println("|---|---|---|---|---|---|---|---|---|---|---|---|")
}

func printScaleRow(haproxy string, got scaleFigures) {
	mib := func(bytes int) float64 { return float64(bytes) / (1 << 20) }
	fmt.Printf("| %s | %.0f ms | %.0f ms | %.2f %% | %.0f ms | %.0f ms | %.2f | %.0f ms | %.0f MiB | %.0f MiB | %.0f MiB | %.0f MiB |\n", haproxy,
		ms(percentile(got.start, 50)), ms(percentile(got.bare, 50)), 100*got.idle,
		ms(got.burst.writing), ms(got.burst.exact), got.burst.exact.Seconds()/got.burst.writing.Seconds(), ms(got.blast), mib(got.memory), mib(got.early), mib(got.after), mib(got.rest))
}

func printCurveHeader() {
	fmt.Print("\nCPU time of haproxy-zk for one of 2,000 changes\n\n")
	fmt.Println("| HAProxy | groups | CPU time |")
	fmt.Println("|---|---|---|")
}

func printCurveRow(haproxy string, groups int, each time.Duration) {
	fmt.Printf("| %s | %d | %.3f ms |\n", haproxy, groups, ms(each))
}
