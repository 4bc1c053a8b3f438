package supervisor

import (
	"context"
	"errors"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// fakeListeners are those of a generation. They give until they are closed, unless they
// refuse.
type fakeListeners struct {
	pids    []int
	refuses bool

	mu     sync.Mutex
	closed bool
	mode   fs.FileMode // of the socket when they were given
}

func (*fakeListeners) Count() int { return 3 }

func (l *fakeListeners) Give(conn *net.UnixConn) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if info, err := os.Stat(conn.LocalAddr().String()); err == nil {
		l.mode = info.Mode()
	}
	if l.closed || l.refuses {
		return errors.New("they refuse")
	}
	_, err := conn.Write([]byte("given"))
	return err
}

func (l *fakeListeners) Close() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.closed = true
}

func (l *fakeListeners) isClosed() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.closed
}

// hold is a stage that keeps listeners.
type hold struct {
	*stage

	mu      sync.Mutex
	taken   []*fakeListeners
	fails   error // of every attempt to take
	refuses bool  // what is taken from now on
	tries   int
}

func newHold(t *testing.T, o Options) *hold {
	t.Helper()
	d := &hold{}
	if o.ListenerHold == 0 {
		o.ListenerHold = time.Hour
	}
	o.TakeListeners = func(_ context.Context, pids []int) (Listeners, error) {
		d.mu.Lock()
		defer d.mu.Unlock()
		d.tries++
		if d.fails != nil {
			return nil, d.fails
		}
		l := &fakeListeners{pids: pids, refuses: d.refuses}
		d.taken = append(d.taken, l)
		return l, nil
	}
	d.stage = newStage(t, o)
	d.HandoverSocket = filepath.Join(d.dir, "fds.sock")
	return d
}

func startHold(t *testing.T, o Options) *hold {
	t.Helper()
	d := newHold(t, o)
	d.begin()
	return d
}

// set changes what happens when listeners are taken.
func (d *hold) set(fails error, refuses bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.fails, d.refuses = fails, refuses
}

// tried returns how often listeners were taken, or were to be taken.
func (d *hold) tried() int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.tries
}

// holds waits until the listeners of a generation are kept, and returns them.
func (d *hold) holds(pids []int) *fakeListeners {
	d.t.Helper()
	var last *fakeListeners
	eventually(d.t, "its listeners are kept", func() bool {
		d.mu.Lock()
		defer d.mu.Unlock()
		if len(d.taken) > 0 {
			last = d.taken[len(d.taken)-1]
		}
		return last != nil && slices.Equal(last.pids, pids)
	})
	d.waitForMetric(3, "listeners_held")
	return last
}

// launchedWith fails the test unless the last launch had these arguments besides the
// usual ones.
func (d *hold) launchedWith(want ...string) {
	d.t.Helper()
	if got := d.launched()[5:]; !slices.Equal(got, want) {
		d.t.Errorf("the launch had %q, want %q", got, want)
	}
}

func TestEveryLaunchTakesTheKeptListeners(t *testing.T) {
	d := startHold(t, Options{})
	first := d.reload("workers 2")
	d.launchedWith()
	of := d.holds(first)

	second := d.reload("")
	d.launchedWith("-x", d.HandoverSocket)
	next := d.holds(second)
	if !of.isClosed() || next.isClosed() {
		t.Error("other listeners are open than those of the serving generation")
	}
	if of.mode != fs.ModeSocket|offerMode {
		t.Errorf("they were offered with mode %v", of.mode)
	}

	// No worker lives.
	kill(t, second[0], unix.SIGKILL)
	d.waitForDeath(second...)
	third := d.reload("")
	d.launchedWith("-x", d.HandoverSocket)
	d.holds(third)

	// None answers.
	d.silence(third...)
	fourth := d.reload("")
	d.launchedWith("-x", d.HandoverSocket)
	waitForChildren(t, fourth...)
	last := d.holds(fourth)

	// A failed reload keeps them.
	if _, err := d.try(t.Context(), "bind-fails"); err == nil {
		t.Error("no error")
	}
	if last.isClosed() {
		t.Error("a failed reload gave the listeners up")
	}
	if _, err := os.Lstat(d.HandoverSocket); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the socket is there between launches: %v", err)
	}
	if err := d.end(); err != nil {
		t.Error(err)
	}
	if !last.isClosed() {
		t.Error("they are open after the stop")
	}
	if n := d.metric("listeners_held"); n > 0 {
		t.Errorf("the metric is %v after the stop", n)
	}
}

func TestListenersAreGivenUpAfterTheHold(t *testing.T) {
	const after = 300 * time.Millisecond
	d := startHold(t, Options{ListenerHold: after})
	pids := d.reload("workers 2")
	kept := d.holds(pids)
	kill(t, pids[0], unix.SIGKILL)
	d.waitForDeath(pids[0])
	<-time.After(2 * after)
	if kept.isClosed() {
		t.Error("the listeners were given up although a worker serves")
	}
	begun := time.Now()
	kill(t, pids[1], unix.SIGKILL)
	d.waitForDeath(pids[1])
	// A launch that hangs does not prolong the hold, nor do failures.
	ctx, giveUp := context.WithCancel(t.Context())
	defer giveUp()
	outcome := d.startReload(ctx, "hang")
	eventually(t, "the listeners are given up", kept.isClosed)
	if took := time.Since(begun); took < after {
		t.Errorf("they were given up after %v", took)
	}
	if len(outcome) > 0 {
		t.Error("the launch has ended")
	}
	giveUp()
	if got := d.await(outcome); got.err == nil {
		t.Error("no error")
	}
	d.waitForMetric(0, "listeners_held")
	next := d.reload("")
	d.launchedWith()
	d.holds(next)
}

// The last worker dies while a launch hangs, and Run is not there to notice.
func TestHoldBeginsDuringALaunch(t *testing.T) {
	d := startHold(t, Options{ListenerHold: 300 * time.Millisecond})
	pids := d.reload("")
	kept := d.holds(pids)
	ctx, giveUp := context.WithCancel(t.Context())
	defer giveUp()
	outcome := d.startReload(ctx, "hang")
	eventually(t, "the launcher runs", func() bool { return len(d.lines("calls")) == 2 })
	kill(t, pids[0], unix.SIGKILL)
	eventually(t, "the listeners are given up", kept.isClosed)
	if len(outcome) > 0 {
		t.Error("the launch has ended")
	}
	giveUp()
	if got := d.await(outcome); got.err == nil {
		t.Error("no error")
	}
	d.waitForDeath(pids...)
	d.waitForMetric(0, "listeners_held")
}

// A replacement within the hold ends it.
func TestReplacementEndsTheHold(t *testing.T) {
	d := startHold(t, Options{})
	holding := func() bool {
		d.listeners.mu.Lock()
		defer d.listeners.mu.Unlock()
		return d.listeners.expiry != nil
	}
	pids := d.reload("")
	d.holds(pids)
	if holding() {
		t.Error("the hold has begun although a worker serves")
	}
	kill(t, pids[0], unix.SIGKILL)
	d.waitForDeath(pids...)
	eventually(t, "the hold begins", holding)
	kept := d.holds(d.reload(""))
	if holding() || kept.isClosed() {
		t.Error("the hold has not ended")
	}
}

// What HAProxy does not take is given up: sockets of its own would share the connections.
func TestListenersThatAreNotTaken(t *testing.T) {
	d := startHold(t, Options{})
	d.set(nil, true)
	first := d.reload("")
	refused := d.holds(first)
	second := d.reload("")
	d.launchedWith("-x", socketOf(d.dir, first[0]))
	if !refused.isClosed() {
		t.Error("the refused listeners are open")
	}

	refused = d.holds(second)
	kill(t, second[0], unix.SIGKILL)
	d.waitForDeath(second...)
	d.reload("")
	d.launchedWith()
	if !refused.isClosed() {
		t.Error("the refused listeners are open")
	}
}

// Both launches fail: the old generation serves on, and its listeners are taken again.
func TestListenersAreTakenAgainAfterAFailedReload(t *testing.T) {
	d := startHold(t, Options{})
	d.set(nil, true)
	pids := d.reload("")
	refused := d.holds(pids)
	d.set(nil, false)
	if _, err := d.try(t.Context(), "bind-fails"); err == nil {
		t.Fatal("no error")
	}
	d.launchedWith("-x", socketOf(d.dir, pids[0]))
	eventually(t, "its listeners are kept again", func() bool { return d.holds(pids) != refused })
	d.reload("")
	d.launchedWith("-x", d.HandoverSocket)
}

// The socket cannot be created.
func TestListenersThatCannotBeOffered(t *testing.T) {
	d := newHold(t, Options{})
	d.HandoverSocket = filepath.Join(d.dir, "none", "fds.sock")
	d.begin()
	first := d.reload("")
	d.holds(first)
	d.reload("")
	d.launchedWith("-x", socketOf(d.dir, first[0]))
}

// A generation does not hand its listeners over: the next launch asks one of its workers,
// and the listeners of the generation before are given up.
func TestListenersThatCannotBeTaken(t *testing.T) {
	d := startHold(t, Options{})
	before := d.holds(d.reload(""))
	d.set(errors.New("nonsense"), false)
	tries := d.tried()
	second := d.reload("")
	d.launchedWith("-x", d.HandoverSocket)
	eventually(t, "the listeners of the generation before are given up", before.isClosed)
	if n := d.tried() - tries; n < 2 {
		t.Errorf("given up after %d tries", n)
	}
	third := d.reload("")
	d.launchedWith("-x", socketOf(d.dir, second[0]))
	d.set(nil, false)
	d.holds(third)
	d.reload("")
	d.launchedWith("-x", d.HandoverSocket)
}

// A worker that dies at its start takes no listeners with it.
func TestListenersOutliveAWorkerThatDiesBeforeTheyAreTaken(t *testing.T) {
	d := newHold(t, Options{})
	take := d.TakeListeners
	var hangs sync.Map
	d.TakeListeners = func(ctx context.Context, pids []int) (Listeners, error) {
		if _, hang := hangs.Load("now"); hang {
			<-ctx.Done() // the kept stats socket accepts
			return nil, ctx.Err()
		}
		return take(ctx, pids)
	}
	d.begin()
	first := d.reload("")
	kept := d.holds(first)
	hangs.Store("now", true)
	second := d.reload("")
	kill(t, second[0], unix.SIGKILL)
	begun := time.Now()
	d.waitForDeath(second...)
	if took := time.Since(begun); took > takeWithin*9/10 {
		t.Errorf("the death was noticed after %v", took)
	}
	if kept.isClosed() {
		t.Error("the listeners of the generation before are closed")
	}
	d.reload("")
	d.launchedWith("-x", d.HandoverSocket)
}

func TestListenersOfAnEarlierHAProxy(t *testing.T) {
	d := newHold(t, Options{})
	old := d.earlier("workers 2")
	d.begin()
	next := d.reload("")
	d.launchesAre("-x " + d.HandoverSocket)
	d.mu.Lock()
	if got := d.taken[0].pids; !slices.Equal(slices.Sorted(slices.Values(got)), slices.Sorted(slices.Values(old))) {
		t.Errorf("they were taken from %v, want %v", got, old)
	}
	d.mu.Unlock()
	d.holds(next)
}

// A takeover that fails leaves everything to the earlier HAProxy.
func TestFailedTakeoverKeepsNoListeners(t *testing.T) {
	d := newHold(t, Options{})
	d.earlier("")
	d.begin()
	if _, err := d.try(t.Context(), "bind-fails"); err == nil {
		t.Fatal("no error")
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if len(d.taken) != 1 || !d.taken[0].isClosed() {
		t.Errorf("%d were taken and are not all closed", len(d.taken))
	}
}

func TestHoldIsSwitchedOffAndOn(t *testing.T) {
	d := startHold(t, Options{})
	pids := d.reload("")
	kept := d.holds(pids)
	d.SetLimits(soon, 0, 0)
	eventually(t, "the listeners are closed", kept.isClosed)
	d.waitForMetric(0, "listeners_held")
	tries := d.tried()
	next := d.reload("")
	d.launchedWith("-x", socketOf(d.dir, pids[0]))
	if n := d.tried(); n != tries {
		t.Errorf("they were taken %d times", n-tries)
	}
	d.SetLimits(soon, 0, time.Hour)
	d.holds(next)
}

// New connections are refused from the beginning of a stop.
func TestStopClosesListenersFirst(t *testing.T) {
	d := newHold(t, Options{})
	var kept *fakeListeners
	closed := make(chan bool, 1)
	d.GraceStarts = func() <-chan struct{} {
		closed <- kept.isClosed()
		return nil
	}
	d.begin()
	pids := d.reload("busy")
	kept = d.holds(pids)
	d.stop()
	if !<-closed {
		t.Error("the listeners are open while workers finish")
	}
	d.finish(pids...)
}
