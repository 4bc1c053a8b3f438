package register

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"net/netip"
	"os"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/sys/unix"
)

// partners are the registrar and the command of a run. Its bubble has one run, whose
// goroutine calls them.
type partners struct {
	did     []string
	reports Reports
	ended   chan struct{}
	code    int
}

func (p *partners) Register(name string, _ []byte) {
	p.did = append(p.did, "register "+name)
	p.reports.Send(true)
}

func (p *partners) Deregister() {
	p.did = append(p.did, "deregister")
	p.reports.Send(false)
}

func (p *partners) Done() <-chan struct{} { return p.ended }

func (p *partners) ExitCode() int { return p.code }

func (p *partners) Signal(sig unix.Signal) error {
	p.did = append(p.did, unix.SignalName(sig))
	if sig == unix.SIGTERM {
		close(p.ended)
	}
	return nil
}

func (p *partners) Kill() error { return errors.New("not expected") }

// running runs an instance whose check passes from a time on.
type running struct {
	*partners
	signals Signals
	said    bytes.Buffer
	code    chan int
}

func start(t *testing.T, passesAfter time.Duration) *running {
	t.Helper()
	r := &running{
		partners: &partners{reports: NewReports(), ended: make(chan struct{}), code: 4},
		signals:  Signals{make(chan os.Signal, 1), make(chan os.Signal, 1)}, code: make(chan int, 1),
	}
	begun := time.Now()
	o := Options{
		Instance: Instance{Format: Name, Group: "web"}, Address: Address{netip.MustParseAddr("10.0.0.5"), 80}, Check: Check{},
		Interval: 2 * time.Second, Timeout: time.Second,
		Rules:     Rules{Passes: 1, Failures: 3, Drain: 5 * time.Second, Grace: 20 * time.Second, Patience: 3 * time.Second},
		Registrar: r.partners, Command: r.partners, Reports: r.reports, Signals: r.signals,
		Logger: slog.New(slog.NewTextHandler(&r.said, nil)),
		probe: func(context.Context) error {
			if time.Since(begun) < passesAfter {
				return errors.New("refused")
			}
			return nil
		},
	}
	go func() { r.code <- Run(t.Context(), o) }()
	return r
}

func TestRunRegistersDrainsAndReturnsTheExitCode(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := start(t, 10*time.Second)
		<-time.After(20 * time.Second)
		r.signals.others <- unix.SIGHUP
		synctest.Wait()
		begun := time.Now()
		r.signals.stops <- unix.SIGTERM
		if code := <-r.code; code != 4 || time.Since(begun) != 5*time.Second {
			t.Errorf("exit code %d after %v", code, time.Since(begun))
		}
		if want := []string{"register 10.0.0.5:80", "SIGHUP", "deregister", "SIGTERM", "deregister"}; !slices.Equal(r.did[:min(len(r.did), 4)], want[:4]) {
			t.Errorf("it did %v, want %v", r.did, want)
		}
	})
}

func TestCheckThatNeverPassesIsSummedUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := start(t, time.Hour)
		<-time.After(10 * time.Minute)
		r.signals.stops <- unix.SIGTERM
		<-r.code
		if n := strings.Count(r.said.String(), "\n"); n < 10 || n > 16 {
			t.Errorf("%d lines in ten minutes:\n%s", n, r.said.String())
		}
		if n := strings.Count(r.said.String(), "check still fails, not registered"); n < 8 || n > 10 {
			t.Errorf("%d summaries in ten minutes", n)
		}
		if !slices.Equal(r.did, []string{"SIGTERM"}) {
			t.Errorf("it did %v", r.did)
		}
	})
}
