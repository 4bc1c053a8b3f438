package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/go-zookeeper/zk"

	"github.com/haproxy-zk/haproxy-zk/e2e/rig"
)

const (
	surgeGroups = 1000
	// surgeWithin bounds how long deleted groups may stay: two minutes on purpose, and more on
	// a busy machine.
	surgeWithin = 6 * time.Minute
	// surgeSettles is how long a reload may take to be counted once HAProxy serves.
	surgeSettles = time.Second
	surgePrefix  = "surge"
)

const surgeHeader = `
1,000 groups of one instance that appear at once and disappear at once, until HAProxy has them all, and none

| HAProxy | carried by | appear | CPU of haproxy-zk | reloads | gone after | CPU of haproxy-zk | reloads |
|---|---|---|---|---|---|---|---|
`

// measureSurge measures many groups that come at once and go at once.
func measureSurge(ctx context.Context, h rig.HAProxy, way string) (row string, err error) {
	s, err := newSite(ctx, h, way)
	if err != nil {
		return "", err
	}
	defer func() { err = errors.Join(err, s.close()) }()
	comes, err := s.surge(ctx, exactWithin, surgeGroups, func(group, instance string) []any {
		return []any{&zk.CreateRequest{Path: group, Acl: zk.WorldACL(zk.PermAll)}, register(instance)}
	})
	if err != nil {
		return "", err
	}
	goes, err := s.surge(ctx, surgeWithin, 0, func(group, instance string) []any {
		return []any{&zk.DeleteRequest{Path: instance, Version: -1}, &zk.DeleteRequest{Path: group, Version: -1}}
	})
	return comes + " | " + goes + " |", err
}

// surge makes requests for every group, and returns how long it took until HAProxy had as
// many of them as wanted, the CPU time of haproxy-zk, and its reloads meanwhile.
func (s *site) surge(ctx context.Context, within time.Duration, want int, requests func(group, instance string) []any) (row string, err error) {
	var all []any
	for i := range surgeGroups {
		group := fmt.Sprintf("/bench/%s%d", surgePrefix, i)
		all = append(all, requests(group, fmt.Sprintf("%s/127.8.%d.%d:80", group, i/250, 1+i%250))...)
	}
	reloads, err := s.reloads()
	if err != nil {
		return "", err
	}
	cpu, _, err := rig.Used(s.daemon.PID())
	if err != nil {
		return "", err
	}
	begun := time.Now()
	for some := range slices.Chunk(all, perRequest) {
		if _, err := s.registry.Conn().Multi(some...); err != nil {
			return "", err
		}
	}
	if err := rig.Eventually(ctx, within, func() error { return s.surged(want) }); err != nil {
		return "", err
	}
	took := time.Since(begun)
	select {
	case <-ctx.Done():
		return "", ctx.Err()
	case <-time.After(surgeSettles):
	}
	used, _, err := rig.Used(s.daemon.PID())
	if err != nil {
		return "", err
	}
	reloaded, err := s.reloads()
	return fmt.Sprintf("%.2f s | %.2f s | %d", took.Seconds(), (used - cpu).Seconds(), reloaded-reloads), err
}

// surged returns nil if HAProxy has as many groups of the surge as wanted, each with an
// instance in service if there are any, and routes to them.
func (s *site) surged(want int) error {
	socket := s.config.Sockets()[0]
	backends, err := rig.Stats(socket, "show backend")
	if err != nil {
		return err
	}
	routes, err := rig.Stats(socket, "show map "+s.config.ConfFile()+".path.map")
	if err != nil {
		return err
	}
	if has, routed := strings.Count(backends, "\n"+surgePrefix), strings.Count(routes, " "+surgePrefix); has != want || routed != want {
		return fmt.Errorf("%d backends and %d routes, not %d", has, routed, want)
	}
	if want == 0 {
		return nil
	}
	servers, err := rig.ServersState(socket)
	if err != nil {
		return err
	}
	serving := make(map[string]bool)
	for _, server := range servers {
		if strings.HasPrefix(server.Backend, surgePrefix) && server.Serving() {
			serving[server.Backend] = true
		}
	}
	if len(serving) != want {
		return fmt.Errorf("%d groups serve, not %d", len(serving), want)
	}
	return nil
}
