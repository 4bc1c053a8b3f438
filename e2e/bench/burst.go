package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/go-zookeeper/zk"

	"github.com/haproxy-zk/haproxy-zk/e2e/rig"
)

const (
	writers = 8
	// exactWithin bounds how long the workers may take after the last change.
	exactWithin = time.Minute
)

// burst is the duration of many changes: until the writers have ended, and until every
// worker is exact.
type burst struct {
	writing, exact time.Duration
	cpu            time.Duration // of haproxy-zk
}

// change makes writers change groups, each its own, one after the other.
func (e *estate) change(ctx context.Context, changes int) (b burst, err error) {
	before, _, err := e.worked()
	if err != nil {
		return b, err
	}
	begun := time.Now()
	var wait sync.WaitGroup
	errs := make([]error, writers)
	for w := range writers {
		wait.Go(func() {
			group := w % e.groups
			for i := w; i < changes && errs[w] == nil; i += writers {
				errs[w] = e.replace(e.writers[w].Conn(), group)
				if group += writers; group >= e.groups {
					group = w % e.groups
				}
			}
		})
	}
	wait.Wait()
	b.writing = time.Since(begun)
	if err := errors.Join(errs...); err != nil {
		return b, err
	}
	err = rig.Eventually(ctx, exactWithin, e.exact)
	b.exact = time.Since(begun)
	after, _, err2 := e.worked()
	b.cpu = after - before
	return b, errors.Join(err, err2)
}

// replace registers another instance in a group and deregisters the one before it. Groups
// of different writers may be replaced at the same time.
func (e *estate) replace(conn *zk.Conn, group int) error {
	node := "/bench/" + groupName(group) + "/"
	n := e.replaced[group]
	requests := []any{register(node + replacement(group, n+1))}
	if n > 0 {
		requests = append(requests, &zk.DeleteRequest{Path: node + replacement(group, n), Version: -1})
	}
	e.replaced[group]++
	_, err := conn.Multi(requests...)
	return err
}

// replacement is the instance that the n-th change of a group registers, from 1.
func replacement(group, n int) string {
	return fmt.Sprintf("127.%d.%d.%d:%d", 101+group>>8, group&0xff, 1+n%250, 1000+n/250)
}

// exact returns an error unless every worker serves the registered instances, and no
// others.
func (e *estate) exact() error {
	for _, socket := range e.config.Sockets() {
		servers, err := rig.ServersState(socket)
		if err != nil {
			return err
		}
		serving := make(map[string][]string)
		for _, s := range servers {
			if s.Serving() {
				serving[s.Backend] = append(serving[s.Backend], s.Endpoint())
			}
		}
		for g := range e.groups {
			want := e.instances
			if e.replaced[g] > 0 {
				want++
			}
			got := serving[groupName(g)]
			if len(got) != want || want > e.instances && !slices.Contains(got, replacement(g, e.replaced[g])) {
				return fmt.Errorf("%s: group %d serves %v after %d changes", socket, g, got, e.replaced[g])
			}
		}
	}
	return nil
}

// blast sends the commands of as many changes to every worker, as fast as they execute
// them: what haproxy-zk could do at best.
func (e *estate) blast(changes int) (time.Duration, error) {
	const batch = 100
	var lines []string
	line := ""
	for i := range changes {
		server := fmt.Sprintf("set server %[1]s/%[1]s%[2]d ", groupName(i%e.groups), e.slots)
		line += server + "addr 127.9.9.9 port 80;" + server + "state ready;" + server + "state maint;"
		if i%batch == batch-1 || i == changes-1 {
			lines = append(lines, line[:len(line)-1])
			line = ""
		}
	}
	begun := time.Now()
	for _, socket := range e.config.Sockets() {
		for _, line := range lines {
			if err := write(socket, line); err != nil {
				return 0, err
			}
		}
	}
	return time.Since(begun), nil
}
