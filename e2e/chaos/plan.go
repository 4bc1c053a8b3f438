package chaos

import (
	"context"
	"fmt"
	"hash/fnv"
	"math/rand/v2"
	"time"
)

// step is a drawn fault.
type step struct {
	lane  string
	fault fault
	// at is the earliest start, relative to the start of the run: the previous step of
	// the lane must have ended.
	at    time.Duration
	lasts time.Duration
	// dice is the seed for its random choices.
	dice uint64
}

func (s step) String() string {
	return fmt.Sprintf("%s/%s at %s for %s, dice %x", s.lane, s.fault.name, s.at, s.lasts, s.dice)
}

// rand returns the same numbers for the same step.
func (s step) rand() *rand.Rand { return rand.New(rand.NewPCG(s.dice, 0)) }

// keep waits until the step's time or ctx is over.
func (s step) keep(ctx context.Context) { wait(ctx, s.lasts) }

func wait(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}

// draw draws the steps of one lane for a run of a total duration. Nothing is killed
// before calm is over. The result depends on the arguments only.
func (l lane) draw(seed uint64, calm, total time.Duration) []step {
	name := fnv.New64a()
	_, _ = name.Write([]byte(l.name)) // it never fails
	dice := rand.New(rand.NewPCG(seed, name.Sum64()))
	between := func(least, most time.Duration) time.Duration {
		return (least + time.Duration(dice.Int64N(int64(most-least)+1))).Round(time.Millisecond)
	}
	var steps []step
	for at := between(0, l.most); at < total; at += between(l.least, l.most) {
		f := pick(dice, l.faults, at >= calm)
		s := step{lane: l.name, fault: f, at: at, lasts: between(f.least, f.most), dice: dice.Uint64()}
		steps = append(steps, s)
		at += s.lasts
	}
	return steps
}

// pick draws a fault by weight.
func pick(dice *rand.Rand, faults []fault, kills bool) fault {
	sum := 0
	for _, f := range faults {
		if kills || !f.kills {
			sum += f.weight
		}
	}
	n := dice.IntN(sum)
	for _, f := range faults {
		if !kills && f.kills {
			continue
		}
		if n -= f.weight; n < 0 {
			return f
		}
	}
	panic("the weights are more than their sum")
}
