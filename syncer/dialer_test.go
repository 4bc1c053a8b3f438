package syncer

import (
	"context"
	"errors"
	"net"
	"syscall"
	"testing"
	"testing/synctest"
	"time"
)

// testDialer records when it was asked to connect.
type testDialer struct {
	*dialer
	at       []time.Time
	problems []string
	fail     error
}

func newTestDialer(t *testing.T, servers int) *testDialer {
	d := &testDialer{fail: &net.OpError{Op: "dial", Err: syscall.ECONNREFUSED}}
	d.dialer = newDialer(t.Context(), func(context.Context, string, string) (net.Conn, error) {
		d.at = append(d.at, time.Now())
		if d.fail != nil {
			return nil, d.fail
		}
		near, _ := net.Pipe()
		return near, nil
	}, servers)
	d.problem = func(s string) { d.problems = append(d.problems, s) }
	d.timeout = 10 * time.Second
	return d
}

func (d *testDialer) try() error {
	_, err := d.dial("tcp", "zk:2181", time.Second)
	return err
}

func TestDialerBacksOffAfterEachRound(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newTestDialer(t, 3)
		for range 60 {
			if err := d.try(); !errors.Is(err, syscall.ECONNREFUSED) {
				t.Fatal(err)
			}
		}
		for i, at := range d.at[1:] {
			gap := at.Sub(d.at[i])
			switch {
			case (i+1)%3 != 0 && gap != 0:
				t.Errorf("waited %v within a round", gap)
			case (i+1)%3 == 0 && (gap < pauseMin/2 || gap > 1050*time.Millisecond):
				t.Errorf("waited %v between rounds", gap)
			}
		}
		if total := d.at[59].Sub(d.at[0]); total < 4*time.Second {
			t.Errorf("20 rounds in %v", total)
		}
		if d.problems[0] != "cannot connect to zk:2181: connection refused" {
			t.Error(d.problems[0])
		}
	})
}

func TestDialerPauseAfterSession(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newTestDialer(t, 1)
		d.fail = nil
		gap := func(lived time.Duration) time.Duration {
			d.connected()
			<-time.After(lived) // the bubble's clock
			before := time.Now()
			if err := d.try(); err != nil {
				t.Fatal(err)
			}
			return time.Since(before)
		}
		if err := d.try(); err != nil {
			t.Fatal(err)
		}
		if waited := gap(time.Minute); waited != 0 {
			t.Errorf("waited %v after a session that lived", waited)
		}
		var sum time.Duration
		for range 20 {
			sum += gap(0)
		}
		if sum < 4*time.Second {
			t.Errorf("20 sessions that ended at once in %v", sum)
		}
		if waited := gap(stable); waited != 0 {
			t.Errorf("waited %v after a session that lived", waited)
		}
	})
}

func TestDialerForgivesOneExpiry(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newTestDialer(t, 1)
		for range 20 {
			_ = d.try()
		}
		d.expired()
		before := time.Now()
		_ = d.try()
		if waited := time.Since(before); waited > 75*time.Millisecond {
			t.Errorf("waited %v after an expiry", waited)
		}
		before = time.Now()
		for range 20 {
			d.expired()
			_ = d.try()
		}
		if passed := time.Since(before); passed < 4*time.Second {
			t.Errorf("20 expiries in a row in %v", passed)
		}
	})
}

func TestDialerCloseInterruptsPause(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newTestDialer(t, 1)
		for range 20 {
			_ = d.try()
		}
		asked, before := len(d.at), time.Now()
		go d.close()
		if err := d.try(); !errors.Is(err, context.Canceled) {
			t.Error(err)
		}
		if time.Since(before) != 0 || len(d.at) != asked {
			t.Errorf("went on for %v, %d connects", time.Since(before), len(d.at)-asked)
		}
	})
}

func TestDialerCloseClosesConnection(t *testing.T) {
	d := newTestDialer(t, 1)
	d.fail = nil
	first, err := d.dial("tcp", "zk:2181", time.Second)
	if err != nil {
		t.Fatal(err)
	}
	d.tried = 0
	second, err := d.dial("tcp", "zk:2181", time.Second)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := first.Write([]byte("x")); err == nil {
		t.Error("the first connection was left open by the second dial")
	}
	d.close()
	if _, err := second.Write([]byte("x")); err == nil {
		t.Error("the connection was left open by close")
	}
}

func TestDialerBoundsConnect(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newTestDialer(t, 1)
		d.connect = func(ctx context.Context, _, _ string) (net.Conn, error) {
			<-ctx.Done()
			return nil, &net.OpError{Op: "dial", Err: context.DeadlineExceeded}
		}
		before := time.Now()
		if err := d.try(); err == nil {
			t.Error("connected")
		}
		if time.Since(before) != serverTimeout {
			t.Errorf("took %v", time.Since(before))
		}
		if d.problems[0] != "cannot connect to zk:2181: timed out" {
			t.Error(d.problems[0])
		}
	})
}

func TestHandshakeTimeoutGrowsForSlowServer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newTestDialer(t, 1)
		d.heard, d.cut = func() {}, func() {}
		dials := func(said []byte) (took time.Duration) {
			c, far := connWith(t, d)
			before := time.Now()
			go func() { _, _ = far.Write(said) }()
			_ = authenticate(c)
			return time.Since(before)
		}
		for _, want := range []time.Duration{patienceMin, 2 * patienceMin, 4 * patienceMin, patienceMax, patienceMax} {
			if took := dials(nil); took != want {
				t.Errorf("waited %v for an answer, want %v", took, want)
			}
		}
		dials(answerBytes(7, time.Second))
		if took := dials(nil); took != patienceMin {
			t.Errorf("waited %v after an answer", took)
		}
		d.connect = func(context.Context, string, string) (net.Conn, error) { return nil, syscall.ECONNREFUSED }
		_ = d.try()
		if took := dials(nil); took != patienceMin {
			t.Errorf("waited %v after the server was away", took)
		}
	})
}
