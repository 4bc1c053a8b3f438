package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/go-zookeeper/zk"

	"github.com/haproxy-zk/haproxy-zk/e2e/rig"
)

const (
	dayGroups    = 200
	dayInstances = 25 // of each group: 5,000 registrations
	dayAlive     = 40 // groups at a time
	dayEvery     = 200 * time.Millisecond
	dayLasts     = 100 * time.Second
	sampleEvery  = 50 * time.Millisecond
)

const dayHeader = `
A day of churn in 100 s: 200 groups of 25 instances come and go, 40 at a time, beside a group under load

| HAProxy | carried by | reloads | most processes of HAProxy at a time | their memory then | requests | lost |
|---|---|---|---|---|---|---|
`

// measureDay lets groups come and go under load.
func measureDay(ctx context.Context, h rig.HAProxy, way string) (row string, err error) {
	s, err := newSite(ctx, h, way)
	if err != nil {
		return "", err
	}
	defer func() { err = errors.Join(err, s.close()) }()
	load, err := rig.NewLoad(rig.LoadOptions{Addr: s.config.Listener(), Targets: []rig.Target{{Path: "/" + steadyGroup + "/x", App: "bench"}}, KeepAlive: 4, Fresh: 2, MaxTime: 3 * dayLasts})
	if err != nil {
		return "", err
	}
	load.Start(ctx)
	defer load.Stop()
	ends := time.Now().Add(dayLasts)
	var sampling sync.WaitGroup
	stop := make(chan struct{})
	var processes, memory int
	var unsampled error
	sampling.Go(func() { processes, memory, unsampled = s.sample(stop) })
	err = s.churn(ctx)
	for wait := time.Until(ends); wait > 0 && err == nil; wait = time.Until(ends) {
		select {
		case <-ctx.Done():
			err = ctx.Err()
		case <-time.After(wait):
		}
	}
	close(stop)
	sampling.Wait()
	if err := errors.Join(err, unsampled); err != nil {
		return "", err
	}
	reloads, err := s.reloads()
	if err != nil {
		return "", err
	}
	result := load.Stop()
	return fmt.Sprintf("%d | %d | %d MiB | %d | %d |", reloads-1, processes, memory>>20, result.Requests, result.Failures), nil
}

// churn lets all groups come, and each go once there are enough younger ones.
func (s *site) churn(ctx context.Context) error {
	tick := time.NewTicker(dayEvery)
	defer tick.Stop()
	for i := range dayGroups + dayAlive {
		if i < dayGroups {
			if err := s.change(i, func(node string) any { return register(node) }); err != nil {
				return err
			}
		}
		if gone := i - dayAlive; gone >= 0 {
			if err := s.change(gone, func(node string) any { return &zk.DeleteRequest{Path: node, Version: -1} }); err != nil {
				return err
			}
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-tick.C:
		}
	}
	return nil
}

// change makes a request for every instance of a group, and creates or deletes the group.
func (s *site) change(group int, request func(node string) any) error {
	path := "/bench/" + groupName(group)
	var requests []any
	for i := range dayInstances {
		requests = append(requests, request(fmt.Sprintf("%s/127.%d.%d.%d:80", path, 10+group>>8, group&0xff, 1+i)))
	}
	if _, deletes := requests[0].(*zk.DeleteRequest); deletes {
		requests = append(requests, &zk.DeleteRequest{Path: path, Version: -1})
	} else if err := s.registry.Ensure(path); err != nil {
		return err
	}
	_, err := s.registry.Conn().Multi(requests...)
	return err
}

// sample returns the most processes of HAProxy that run at a time, and the most memory that
// they use, in bytes.
func (s *site) sample(stop <-chan struct{}) (processes, memory int, err error) {
	for {
		n, bytes, err := haproxyMemory(s.config)
		if err != nil {
			return 0, 0, err
		}
		processes, memory = max(processes, n), max(memory, bytes)
		select {
		case <-stop:
			return processes, memory, nil
		case <-time.After(sampleEvery):
		}
	}
}

// haproxyMemory returns how many processes of HAProxy run with a configuration, and the sum
// of their resident memory, in bytes.
func haproxyMemory(c *rig.SeedConfig) (processes, memory int, err error) {
	files, err := filepath.Glob("/proc/[0-9]*/cmdline")
	if err != nil {
		return 0, 0, err
	}
	for _, file := range files {
		line, err := os.ReadFile(file)
		if err != nil || !strings.Contains(string(line), "\x00-f\x00"+c.ConfFile()+"\x00") {
			continue // it has ended, or is another program
		}
		pid, err := strconv.Atoi(filepath.Base(filepath.Dir(file)))
		if err != nil {
			return 0, 0, err
		}
		if _, bytes, err := rig.Used(pid); err == nil && bytes > 0 {
			processes, memory = processes+1, memory+bytes
		}
	}
	return processes, memory, nil
}

// reloads returns how often haproxy-zk has started and reloaded HAProxy.
func (s *site) reloads() (int, error) {
	n, err := s.total("haproxyzk_reloads_total", "")
	return int(n), err
}

// total returns the sum of a metric's series that have a label.
func (s *site) total(metric, label string) (sum float64, err error) {
	response, err := http.Get(s.url + "/metrics")
	if err != nil {
		return 0, err
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		return 0, err
	}
	for line := range strings.Lines(string(text)) {
		if !strings.HasPrefix(line, metric+"{") || !strings.Contains(line, label) {
			continue
		}
		words := strings.Fields(line)
		value, err := strconv.ParseFloat(words[len(words)-1], 64)
		if err != nil {
			return 0, err
		}
		sum += value
	}
	return sum, nil
}
