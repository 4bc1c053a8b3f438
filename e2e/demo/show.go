package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"time"

	"golang.org/x/sys/unix"

	"github.com/haproxy-zk/haproxy-zk/e2e/rig"
)

// show is the environment of the demo; demo calls its scenes in order.
type show struct {
	begun    time.Time
	binary   string
	with     rig.HAProxy
	dir      string
	zk       *rig.ZooKeeper
	registry *rig.Registry
	apps     []*rig.App
	haproxy  *rig.Daemon
	config   *rig.SeedConfig
	http     string
	load     *rig.Load
	first    []time.Duration // from registration to the first request
}

func (s *show) say(format string, args ...any) {
	fmt.Printf("%6.2fs  %s\n", time.Since(s.begun).Seconds(), fmt.Sprintf(format, args...))
}

// prepare builds the daemon and chooses an HAProxy.
func (s *show) prepare(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, compiling)
	defer cancel()
	haproxies, err := rig.HAProxies()
	if err != nil {
		return err
	}
	// Two worker processes, if HAProxy still supports them.
	s.with = haproxies[0]
	if i := slices.IndexFunc(haproxies, func(h rig.HAProxy) bool { return h.Nbproc }); i >= 0 {
		s.with = haproxies[i]
	}
	s.binary, err = rig.Build(ctx, false)
	return err
}

func (s *show) zookeeper(ctx context.Context) (err error) {
	if s.dir, err = os.MkdirTemp("", "hz-demo-"); err != nil {
		return err
	}
	if s.zk, err = rig.StartZooKeeper(ctx, rig.ZooKeeperOptions{Dir: s.dir}); err != nil {
		return err
	}
	s.say("zookeeper serves at %s", s.zk.Addr())
	s.registry, err = rig.ConnectRegistry(ctx, s.zk.Addr(), 5*time.Second)
	return err
}

func node(group string) string { return "/wade-web/" + group + "/instances" }

func (s *show) applications(context.Context) error {
	for _, group := range []string{front, front, front, base, base} {
		if _, err := s.application(group); err != nil {
			return err
		}
	}
	return nil
}

// application starts an instance of group and registers it.
func (s *show) application(group string) (*rig.App, error) {
	a, err := rig.StartApp(group)
	if err != nil {
		return nil, err
	}
	s.apps = append(s.apps, a)
	if err := a.Register(s.registry, node(group)); err != nil {
		return nil, err
	}
	s.say("registered  %s/%s", node(group), a.Addr())
	return a, nil
}

func (s *show) daemon(ctx context.Context) error {
	s.config = &rig.SeedConfig{ZKAddr: s.zk.Addr(), HAProxy: s.with.Path}
	file, err := s.config.Write(s.dir)
	if err != nil {
		return err
	}
	port, err := rig.FreePort()
	if err != nil {
		return err
	}
	s.http = fmt.Sprintf("127.0.0.1:%d", port)
	s.haproxy, err = rig.StartDaemon(rig.DaemonOptions{
		Binary: s.binary,
		Args:   []string{"run", "--config", file, "--http-addr", s.http, "--run-dir", s.dir + "/run", "--state-dir", s.dir + "/state"},
		Dir:    s.dir,
	})
	if err != nil {
		return err
	}
	s.say("haproxy-zk starts HAProxy %s with the seed's configuration, two groups, two workers", s.with)
	if err := s.haproxy.AwaitReady(ctx, "http://"+s.http); err != nil {
		return err
	}
	s.say("ready: listener %s, query API http://%s/", s.config.Listener(), s.http)
	return nil
}

func (s *show) replaceAll(ctx context.Context) (err error) {
	s.load, err = rig.NewLoad(rig.LoadOptions{
		Addr:      s.config.Listener(),
		Targets:   []rig.Target{{Path: "/", App: front}, {Path: "/basecentre/", App: base}, {Path: "/testcentre/", App: base}},
		KeepAlive: 8, Fresh: 8, Rate: 100,
	})
	if err != nil {
		return err
	}
	s.load.Start(ctx)
	s.say("load: 8 keep-alive clients, 8 with a new connection for each request")
	for _, old := range slices.Clone(s.apps) {
		registered := time.Now()
		next, err := s.application(old.Name())
		if err != nil {
			return err
		}
		err = rig.Eventually(ctx, 10*time.Second, func() error {
			if first, _ := next.Traffic(); first.IsZero() {
				return fmt.Errorf("%s has got no request", next.Addr())
			}
			return nil
		})
		if err != nil {
			return err
		}
		first, _ := next.Traffic()
		s.first = append(s.first, first.Sub(registered))
		s.say("serves      %s, first request %.1f ms after its registration", next.Addr(), ms(first.Sub(registered)))
		if err := old.Retire(ctx, 200*time.Millisecond, func() error { return s.config.Left(old.Name(), old.Addr()) }); err != nil {
			return err
		}
		_, last := old.Traffic()
		s.say("retired     %s, its last request is %.1f s ago: stopped", old.Addr(), time.Since(last).Seconds())
	}
	return nil
}

func (s *show) summary() error {
	r := s.load.Stop()
	slices.Sort(s.first)
	fmt.Printf("\nrequests  %d\nfailures  %d\nfirst request after registration  median %.1f ms, slowest %.1f ms\n",
		r.Requests, r.Failures, ms(s.first[len(s.first)/2]), ms(s.first[len(s.first)-1]))
	if r.Failures > 0 {
		return fmt.Errorf("requests were lost:\n%s\nhaproxy-zk said:\n%s", r, s.haproxy.Output())
	}
	return nil
}

// close stops everything, and reports what was still running.
func (s *show) close() error {
	var problems []error
	if s.load != nil {
		s.load.Stop()
	}
	if s.haproxy != nil {
		problems = append(problems, s.haproxy.Signal(unix.SIGTERM), s.haproxy.Close())
		if left, err := s.haproxy.Leftovers(); err != nil || len(left) > 0 {
			problems = append(problems, fmt.Errorf("left behind: %v", left), err)
		}
	}
	for _, a := range s.apps {
		problems = append(problems, a.Stop())
	}
	if s.registry != nil {
		s.registry.Close()
	}
	if s.zk != nil {
		problems = append(problems, s.zk.Close())
	}
	if s.dir != "" {
		problems = append(problems, os.RemoveAll(s.dir))
	}
	return errors.Join(problems...)
}

func ms(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }
