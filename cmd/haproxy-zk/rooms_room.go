package main

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"sync/atomic"

	oklog "github.com/oklog/run"

	"github.com/haproxy-zk/haproxy-zk/hactl"
	"github.com/haproxy-zk/haproxy-zk/supervisor"
)

// room is one proxy. Its plan may change while it runs, as long as HAProxy's
// executable and files are the same.
type room struct {
	*rooms
	place   *place
	plan    atomic.Pointer[plan]
	changed chan struct{}
}

func newRoom(r *rooms, pl *plan) *room {
	m := &room{rooms: r, place: r.board.place(pl.Name), changed: make(chan struct{}, 1)}
	m.plan.Store(pl)
	return m
}

// fits tells whether the room can take a plan.
func (m *room) fits(pl *plan) bool {
	now := m.plan.Load()
	return now.executable == pl.executable && now.ConfFile == pl.ConfFile && now.PIDFile == pl.PIDFile &&
		slices.Equal(now.SocketFiles, pl.SocketFiles)
}

// change gives the room another plan, which fits. It does not block.
func (m *room) change(pl *plan) {
	m.plan.Store(pl)
	select {
	case m.changed <- struct{}{}:
	default:
	}
}

// run serves the proxy until ctx is done:
//
//	syncer ──▶ controller ──▶ haproxy
//
// The syncer is another one after each change of the plan.
func (m *room) run(ctx context.Context, started func()) error {
	select {
	case <-m.changed:
	default:
	}
	pl := m.plan.Load()
	log := m.log.With("proxy", pl.Name)
	for _, file := range append([]string{pl.ConfFile, pl.PIDFile}, pl.SocketFiles...) {
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			return err
		}
	}
	lines := &haproxyLines{log: m.haproxyLog.With("proxy", pl.Name)}
	defer lines.close()
	if err := lines.listen(pl.logSocket); err != nil {
		return err
	}
	haproxy := m.haproxy(pl, log)
	controller := m.controller(pl, haproxy, log)

	// Its cause tells a failure of this proxy from a stop.
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	interrupt := func(err error) { cancel(err) }
	var g oklog.Group
	g.Add(func() error { return ended(log, "haproxy", haproxy.Run(ctx)) }, interrupt)
	g.Add(func() error { return ended(log, "controller", controller.Run(ctx, started)) }, interrupt)
	now := m.follow(pl, controller, log, true)
	now.recall(m.settings.StartWait)
	now.keep()
	m.place.put(controller, haproxy, now)
	g.Add(func() error {
		return m.followPlan(ctx, now, haproxy, controller, log, func(pl *plan) {
			haproxy.SetLimits(pl.StopGrace, pl.HardStopAfter)
			if err := lines.listen(pl.logSocket); err != nil {
				log.Error("cannot listen for HAProxy's log, its lines are lost", "error", err)
			}
		})
	}, interrupt)
	return g.Run()
}

// followPlan keeps the syncer that of the plan: a new one takes the place of the
// one before when it has read everything. prepare is called with each new plan.
func (m *room) followPlan(ctx context.Context, now *following, haproxy *supervisor.HAProxy, controller *hactl.Controller, log *slog.Logger, prepare func(*plan)) (err error) {
	var next *following
	var in <-chan struct{}
	defer func() {
		if next != nil {
			_ = next.stop() // the other one's end is the room's
		}
		err = now.stop()
	}()
	take := func() {
		log.Info("what is registered was read for the new configuration")
		if err := now.stop(); err != nil {
			log.Warn("the syncer of the old configuration did not end cleanly", "error", err)
		}
		now, next, in = next, nil, nil
		now.keep()
		m.place.put(controller, haproxy, now)
	}
	for {
		select {
		case <-ctx.Done():
			return nil
		case err := <-now.ended:
			now.ended <- err
			return err
		case <-m.changed:
			pl := m.plan.Load()
			prepare(pl)
			source := controller.Stage(pl.layout())
			select {
			case <-in:
				take() // the one before had come in already: it counts until this one does
			default:
				if next != nil {
					_ = next.stop() // it was never used, and cannot be any more
				}
			}
			next, in = m.follow(pl, source, log, false), source.In()
		case <-in:
			take()
		}
	}
}

// haproxyLines is where HAProxy's log comes in. Its methods belong to one
// goroutine at a time.
type haproxyLines struct {
	log    *slog.Logger
	cancel context.CancelFunc // nil: it does not listen
	ended  chan error
}

// listen listens at path, unless that is empty or it listens already.
func (h *haproxyLines) listen(path string) error {
	if path == "" || h.cancel != nil {
		return nil
	}
	socket, err := supervisor.ListenLog(path, h.log)
	if err != nil {
		return err
	}
	var ctx context.Context
	ctx, h.cancel = context.WithCancel(context.Background())
	h.ended = make(chan error, 1)
	go func() { h.ended <- socket.Run(ctx) }()
	return nil
}

// close ends what listen began. It is called when HAProxy has ended: its last
// lines matter as well.
func (h *haproxyLines) close() {
	if h.cancel == nil {
		return
	}
	h.cancel()
	if err := <-h.ended; err != nil {
		h.log.Warn("HAProxy's log was not read to its end", "error", err)
	}
}

// layout is what the controller makes of what is registered.
func (pl *plan) layout() hactl.Layout {
	return hactl.Layout{Template: pl.template, Frame: pl.frame, Backends: pl.backends, Discover: pl.discover()}
}

// fingerprint stands for everything in the plan: what is configured, HAProxy's
// version, what the template and the secrets become in HAProxy's configuration,
// and the secret for ZooKeeper.
func (pl *plan) fingerprint() string {
	configured, err := json.Marshal(pl.Proxy)
	if err != nil {
		panic(err) // it is made of plain values
	}
	sum := sha256.Sum256(fmt.Appendf(nil, "%s\n%s\n%s\n%s\n%s", configured, pl.ZooKeeper.Auth.Reveal(), pl.executable, pl.frame.Version, pl.render()))
	return hex.EncodeToString(sum[:])
}
