package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/go-zookeeper/zk"
	"golang.org/x/sys/unix"

	"github.com/haproxy-zk/haproxy-zk/e2e/rig"
)

const (
	dataStarts   = 5
	formatRounds = 100
	weightRounds = 200
)

// registrations measures what the data of registrations costs: at a start with 19,000
// instances, and for a change of one, in each format beside the names of the format name;
// and how long haproxy-zk register takes.
func registrations(ctx context.Context, haproxies []rig.HAProxy) error {
	h := haproxies[0] // it makes no difference to what is read
	if err := compareStarts(ctx, h); err != nil {
		return err
	}
	return compareFormats(ctx, h)
}

// compareStarts measures starts with and without data, in turn.
func compareStarts(ctx context.Context, h rig.HAProxy) (err error) {
	ctx, cancel := context.WithTimeout(ctx, scaleLimit)
	defer cancel()
	var estates []*estate
	defer func() {
		for _, e := range estates {
			err = errors.Join(err, e.close())
		}
	}()
	for _, write := range []writing{byName, asSpring} {
		e, err := newEstate(ctx, h, size{1000, 20, 19}, write)
		if err != nil {
			return err
		}
		estates = append(estates, e)
	}
	took := make([][]time.Duration, len(estates))
	for range dataStarts {
		for i, e := range estates {
			d, err := e.start(ctx)
			if err == nil {
				err = e.stop()
			}
			if err != nil {
				return err
			}
			took[i] = append(took[i], d)
		}
	}
	printStarts(h.Name, took[0], took[1])
	return nil
}

// formatSide is a group of one format.
type formatSide struct {
	side
	format string
	write  writing
}

func compareFormats(ctx context.Context, h rig.HAProxy) (err error) {
	ctx, cancel := context.WithTimeout(ctx, scaleLimit)
	defer cancel()
	dir, err := os.MkdirTemp("", "hz-bench-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	server, err := rig.StartZooKeeper(ctx, rig.ZooKeeperOptions{Dir: dir})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, server.Close()) }()
	registry, err := rig.ConnectRegistry(ctx, server.Addr(), 10*time.Second)
	if err != nil {
		return err
	}
	defer registry.Close()
	steady, err := rig.StartApp("bench")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, steady.Stop()) }()
	config := &rig.SeedConfig{Proxy: "bench", ZKAddr: server.Addr(), ZKPath: "/bench/${group}", HAProxy: h.Path, Workers: 2}
	var sides []*formatSide
	for _, w := range written() {
		port, err := rig.FreePort()
		if err != nil {
			return err
		}
		s := &formatSide{side{listener: fmt.Sprintf("127.0.0.1:%d", port), node: "/bench/" + w.format}, w.format, w.write}
		if err := errors.Join(registry.Ensure(s.node), s.register(registry, steady.Addr())); err != nil {
			return err
		}
		config.Groups = append(config.Groups, rig.Group{
			Name: w.format, DefaultBackend: w.format == "name", MaxServer: 4 * formatRounds, ACLs: []string{"path_beg /" + w.format},
			Extra: map[string]any{"format": w.format, "listener_port": port},
		})
		sides = append(sides, s)
	}
	daemon, _, err := startDaemon(ctx, config, dir)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, daemon.Signal(unix.SIGTERM), daemon.Close()) }()
	for i := range formatRounds {
		app, err := rig.StartApp("bench")
		if err != nil {
			return err
		}
		for j := range sides {
			if err := sides[(i+j)%len(sides)].round(ctx, registry, app.Addr()); err != nil {
				return fmt.Errorf("round %d: %w", i, err)
			}
		}
		if err := app.Stop(); err != nil {
			return err
		}
	}
	printFormats(h.Name, sides)
	weights, err := measureWeights(ctx, registry, config, steady.Addr())
	if err != nil {
		return err
	}
	printWeights(h.Name, len(config.Sockets()), weights)
	took, err := measureRegister(ctx, registry, config, sides[0].format, sides[0].side)
	if err == nil {
		printRegister(h.Name, took)
	}
	return err
}

func (s *formatSide) register(registry *rig.Registry, addr string) error {
	name, data := s.write(addr)
	_, err := registry.Conn().Create(s.node+"/"+name, []byte(data), zk.FlagEphemeral, zk.WorldACL(zk.PermAll))
	return err
}

// round adds and removes one instance, polling the listener continuously.
func (s *formatSide) round(ctx context.Context, registry *rig.Registry, addr string) error {
	p, err := dialPoller(s.listener)
	if err != nil {
		return err
	}
	defer p.close()
	begun := time.Now()
	if err := s.register(registry, addr); err != nil {
		return err
	}
	at, err := p.until(ctx, func(answer string) bool { return strings.Contains(answer, addr) }, 1)
	if err != nil {
		return fmt.Errorf("%s: %w", s.format, err)
	}
	s.figures.first = append(s.figures.first, at.Sub(begun))
	name, _ := s.write(addr)
	if err := registry.Unregister(s.node, name); err != nil {
		return err
	}
	_, err = p.until(ctx, func(answer string) bool { return !strings.Contains(answer, addr) }, 2)
	return err
}

// measureWeights returns how long it takes from the change of a registered weight until
// every worker has it.
func measureWeights(ctx context.Context, registry *rig.Registry, config *rig.SeedConfig, addr string) (took []time.Duration, err error) {
	for i := range weightRounds {
		weight := 10 + i%80
		name, data := weighted(addr, weight)
		begun := time.Now()
		if _, err := registry.Conn().Set("/bench/curator/"+name, []byte(data), -1); err != nil {
			return nil, err
		}
		for _, socket := range config.Sockets() {
			if err := awaitWeight(ctx, socket, addr, weight); err != nil {
				return nil, err
			}
		}
		took = append(took, time.Since(begun))
	}
	return took, nil
}

// awaitWeight polls a worker until an instance of the group curator has a weight.
func awaitWeight(ctx context.Context, socket, addr string, weight int) error {
	for deadline := time.Now().Add(pollFor); time.Now().Before(deadline) && ctx.Err() == nil; {
		reply, err := rig.Stats(socket, "show servers state curator")
		if err != nil {
			return err
		}
		servers, err := rig.ParseServers(reply)
		if err != nil {
			return err
		}
		for _, s := range servers {
			if s.Endpoint() == addr && s.Weight == weight {
				return nil
			}
		}
	}
	return fmt.Errorf("the weight of %s did not become %d within %v", addr, weight, pollFor)
}
