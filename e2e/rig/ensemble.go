package rig

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
)

// Ensemble is a ZooKeeper ensemble.
type Ensemble struct{ Servers []*ZooKeeper }

// StartEnsemble starts size servers, with their directories in dir, and waits until
// each serves.
func StartEnsemble(ctx context.Context, dir string, size int) (*Ensemble, error) {
	var members []string
	for i := range size {
		var ports [2]int // for the quorum and for elections
		for j := range ports {
			port, err := FreePort()
			if err != nil {
				return nil, fmt.Errorf("start an ensemble: %w", err)
			}
			ports[j] = port
		}
		members = append(members, fmt.Sprintf("server.%d=127.0.0.1:%d:%d", i+1, ports[0], ports[1]))
	}
	e := &Ensemble{}
	for i := range size {
		z, err := prepareZooKeeper(ZooKeeperOptions{Dir: dir, Lines: members, id: i + 1})
		if err != nil {
			return nil, errors.Join(fmt.Errorf("start an ensemble: %w", err), e.Close())
		}
		e.Servers = append(e.Servers, z)
	}
	if err := e.each(func(z *ZooKeeper) error { return z.Start(ctx) }); err != nil {
		return nil, errors.Join(err, e.Close())
	}
	return e, nil
}

// each calls do for all servers concurrently: none serves before most are running.
func (e *Ensemble) each(do func(*ZooKeeper) error) error {
	errs := make([]error, len(e.Servers))
	var all sync.WaitGroup
	for i, z := range e.Servers {
		all.Go(func() { errs[i] = do(z) })
	}
	all.Wait()
	return errors.Join(errs...)
}

// Addr returns the `127.0.0.1:port` of every server, separated by commas.
func (e *Ensemble) Addr() string {
	var addrs []string
	for _, z := range e.Servers {
		addrs = append(addrs, z.Addr())
	}
	return strings.Join(addrs, ",")
}

// Leader returns the current leader; during an election that is an error.
func (e *Ensemble) Leader() (*ZooKeeper, error) {
	for _, z := range e.Servers {
		if reply, err := z.FourLetter("srvr"); err == nil && strings.Contains(reply, "Mode: leader") {
			return z, nil
		}
	}
	return nil, errors.New("the ensemble has no leader")
}

// Close kills the servers and removes their directories. It may be called twice.
func (e *Ensemble) Close() error { return e.each((*ZooKeeper).Close) }
