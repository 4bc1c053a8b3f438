package chaos

import (
	"fmt"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/haproxy-zk/haproxy-zk/e2e/rig"
)

// noticed is how long a client may take to notice that its kept connection was closed:
// the time between two of its requests, on a busy machine.
const noticed = time.Second

// death is the end of a process caused by the run, and the failures that it explains.
type death struct {
	what string
	// worker is the pid of an HAProxy process; or instance is the address of an
	// application's instance, group its application.
	worker          int
	instance, group string
	// alone is true if no other worker could accept connections in the meantime.
	alone bool
	// at is just before it was killed or stopped, gone when it had ended: until then it
	// may have held connections.
	at, gone time.Time
	// over is when another worker served, or when no worker sent requests to the
	// instance any more.
	over time.Time
	// most is how long that may take.
	most time.Duration
}

// explains reports whether the death explains a lost request.
func (d death) explains(f rig.Failure) bool {
	if f.Ended.Before(d.at) {
		return false
	}
	if d.instance != "" {
		return d.explainsInstance(f)
	}
	switch known := f.Worker != ""; {
	case f.Status != 0:
		return false // an instance answered
	case known && f.Worker != strconv.Itoa(d.worker):
		return false
	case known:
		return !f.At.After(d.gone.Add(noticed))
	case d.alone:
		return !f.At.After(d.over)
	default:
		// It was accepted before the end; a dead worker accepts nothing.
		return !f.At.After(d.at)
	}
}

// explainsInstance: its running requests were cut, and HAProxy still chose it until
// health checks or ZooKeeper removed it.
func (d death) explainsInstance(f rig.Failure) bool {
	switch f.Status {
	case 0, 502, 503, 504:
	default:
		return false
	}
	if f.Instance != "" && f.Instance != d.instance || f.App != d.group {
		return false
	}
	return !f.At.After(d.over)
}

// oracle records all lost requests and all killed processes. The zero value works.
type oracle struct {
	mu     sync.Mutex
	lost   []rig.Failure
	deaths []*death
}

// addLoss records a lost request.
func (o *oracle) addLoss(f rig.Failure) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.lost = append(o.lost, f)
}

// addDeath records a death that begins now. Its times are set by update.
func (o *oracle) addDeath(d death) *death {
	o.mu.Lock()
	defer o.mu.Unlock()
	d.at = time.Now()
	kept := &d
	o.deaths = append(o.deaths, kept)
	return kept
}

// update changes a death.
func (o *oracle) update(d *death, change func(*death)) {
	o.mu.Lock()
	defer o.mu.Unlock()
	change(d)
}

// slow returns the deaths that were not over in time. Call it when none is pending any
// more.
func (o *oracle) slow() (found []string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, d := range o.deaths {
		if took := d.over.Sub(d.at); d.over.IsZero() || took > d.most {
			found = append(found, fmt.Sprintf("%s: over after %s, at most %s", d.what, took.Round(time.Millisecond), d.most))
		}
	}
	return found
}

// removeDeath removes a death that did not happen.
func (o *oracle) removeDeath(d *death) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.deaths = slices.DeleteFunc(o.deaths, func(other *death) bool { return other == d })
}

// judge returns the unexplained failures, and the number of failures that each death
// explains.
func (o *oracle) judge() (unexplained []rig.Failure, explained map[*death]int) {
	o.mu.Lock()
	defer o.mu.Unlock()
	explained = make(map[*death]int)
requests:
	for _, f := range o.lost {
		for _, d := range o.deaths {
			if d.explains(f) {
				explained[d]++
				continue requests
			}
		}
		unexplained = append(unexplained, f)
	}
	return unexplained, explained
}

func describe(f rig.Failure, at func(time.Time) string) string {
	kind := "fresh"
	if f.Kept {
		kind = "kept"
	}
	return fmt.Sprintf("%s to %s: %s %s for %s, worker %q, instance %q: %v", at(f.At), at(f.Ended), kind, f.Path, f.App, f.Worker, f.Instance, f.Err)
}
