package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/go-zookeeper/zk"

	"github.com/haproxy-zk/haproxy-zk/e2e/rig"
)

const (
	crowdSize = 2000
	// crowdWithin bounds how long servers may stay after their instances have left.
	crowdWithin = 2 * time.Minute
	// perRequest is how many nodes are created or deleted at once.
	perRequest = 500
)

const crowdHeader = `
2,000 instances of one group that enter at once and leave at once, until HAProxy has them all, and none

| HAProxy | carried by | enter | leave | their servers are deleted after |
|---|---|---|---|---|
`

// measureCrowd measures many instances that come at once and go at once.
func measureCrowd(ctx context.Context, h rig.HAProxy, way string) (row string, err error) {
	s, err := newSite(ctx, h, way)
	if err != nil {
		return "", err
	}
	defer func() { err = errors.Join(err, s.close()) }()
	if err := s.registry.Ensure("/bench/crowd"); err != nil {
		return "", err
	}
	// It stays: a group that becomes empty is held for a moment.
	if err := s.registry.Register("/bench/crowd", s.apps[0].Addr()); err != nil {
		return "", err
	}
	if err := rig.Eventually(ctx, exactWithin, func() error { return s.crowd(1) }); err != nil {
		return "", err
	}
	enter, err := s.all(ctx, func(node string) any { return register(node) }, crowdSize+1)
	if err != nil {
		return "", err
	}
	left := time.Now()
	leave, err := s.all(ctx, func(node string) any { return &zk.DeleteRequest{Path: node, Version: -1} }, 1)
	if err != nil {
		return "", err
	}
	deleted := "–"
	if way != "slots" {
		if err := rig.Eventually(ctx, crowdWithin, func() error { return s.servers("crowd", 1) }); err != nil {
			return "", err
		}
		deleted = fmt.Sprintf("%.1f s", time.Since(left).Seconds())
	}
	return fmt.Sprintf("%.2f s | %.2f s | %s |", enter.Seconds(), leave.Seconds(), deleted), nil
}

// all makes a request for every node of the crowd, and returns how long it took until as
// many instances as wanted serve.
func (s *site) all(ctx context.Context, request func(node string) any, want int) (time.Duration, error) {
	var requests []any
	for i := range crowdSize {
		requests = append(requests, request(fmt.Sprintf("/bench/crowd/127.9.%d.%d:80", i/250, 1+i%250)))
	}
	begun := time.Now()
	for some := range slices.Chunk(requests, perRequest) {
		if _, err := s.registry.Conn().Multi(some...); err != nil {
			return 0, err
		}
	}
	err := rig.Eventually(ctx, exactWithin, func() error { return s.crowd(want) })
	return time.Since(begun), err
}

// crowd returns nil if as many instances of the crowd as wanted serve.
func (s *site) crowd(want int) error {
	servers, err := rig.ServersState(s.config.Sockets()[0])
	if err != nil {
		return err
	}
	if got := len(rig.Serving(servers, "crowd")); got != want {
		return fmt.Errorf("%d serve, not %d", got, want)
	}
	return nil
}

// servers returns nil if a group has as many servers as wanted.
func (s *site) servers(group string, want int) error {
	servers, err := rig.ServersState(s.config.Sockets()[0])
	if err != nil {
		return err
	}
	got := 0
	for _, server := range servers {
		if server.Backend == group {
			got++
		}
	}
	if got != want {
		return fmt.Errorf("%d servers, not %d", got, want)
	}
	return nil
}

const manyHeader = `
19,000 instances in 1,000 groups, with 38 slots a group where there are slots; from the start of haproxy-zk until it is ready

| HAProxy | carried by | start | memory of haproxy-zk | of HAProxy |
|---|---|---|---|---|
`

// measureMany measures start and memory with 19,000 instances.
func measureMany(ctx context.Context, h rig.HAProxy, way string) (row string, err error) {
	e, err := newEstate(ctx, h, size{1000, 38, 19}, byName)
	if err != nil {
		return "", err
	}
	defer func() { err = errors.Join(err, e.close()) }()
	e.config.Groups[0].Extra = map[string]any{"carry": way}
	took, err := e.start(ctx)
	if err != nil {
		return "", err
	}
	if err := rig.Eventually(ctx, exactWithin, e.exact); err != nil {
		return "", err
	}
	_, ours, err := e.worked()
	if err != nil {
		return "", err
	}
	processes, theirs, err := haproxyMemory(e.config)
	if err != nil {
		return "", err
	}
	if processes == 0 {
		return "", errors.New("no HAProxy runs")
	}
	return fmt.Sprintf("%.1f s | %d MiB | %d MiB |", took.Seconds(), ours>>20, theirs>>20), nil
}
