package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/go-zookeeper/zk"
	"golang.org/x/sys/unix"

	"github.com/haproxy-zk/haproxy-zk/e2e/rig"
)

// size is that of an estate: its groups, and the slots and instances of each.
type size struct{ groups, slots, instances int }

// estate is a ZooKeeper with many groups that haproxy-zk discovers. No instance exists:
// none is checked, and none gets a request.
type estate struct {
	size
	dir      string
	zk       *rig.ZooKeeper
	writers  []*rig.Registry // each registers the instances of its own groups
	config   *rig.SeedConfig
	daemon   *rig.Daemon // nil while it is stopped
	replaced []int       // how often each group was changed
}

func newEstate(ctx context.Context, h rig.HAProxy, of size, write writing) (e *estate, err error) {
	e = &estate{size: of, replaced: make([]int, of.groups)}
	defer func() {
		if err != nil {
			err = errors.Join(err, e.close())
		}
	}()
	if e.dir, err = os.MkdirTemp("", "hz-bench-"); err != nil {
		return e, err
	}
	if e.zk, err = rig.StartZooKeeper(ctx, rig.ZooKeeperOptions{Dir: e.dir, Heap: "512m"}); err != nil {
		return e, err
	}
	for range writers {
		registry, err := rig.ConnectRegistry(ctx, e.zk.Addr(), time.Minute)
		if err != nil {
			return e, err
		}
		e.writers = append(e.writers, registry)
	}
	e.config = &rig.SeedConfig{
		Proxy: "bench", ZKAddr: e.zk.Addr(), ZKPath: "/bench/${group}", HAProxy: h.Path, Workers: 1,
		Groups: []rig.Group{{Name: "*", MaxServer: of.slots, ServerTemplate: "${group_name} 1-${max_server} ${ip_port} disabled"}},
	}
	if err := e.writers[0].Ensure("/bench"); err != nil {
		return e, err
	}
	for g := range of.groups {
		requests := []any{&zk.CreateRequest{Path: "/bench/" + groupName(g), Acl: zk.WorldACL(zk.PermAll)}}
		for i := range of.instances {
			name, data := write(fmt.Sprintf("127.%d.%d.%d:80", 1+g>>8, g&0xff, 1+i))
			create := register("/bench/" + groupName(g) + "/" + name)
			create.Data = []byte(data)
			requests = append(requests, create)
		}
		if _, err := e.writers[g%writers].Conn().Multi(requests...); err != nil {
			return e, err
		}
	}
	return e, nil
}

func groupName(g int) string { return fmt.Sprintf("g%d", g) }

func register(path string) *zk.CreateRequest {
	return &zk.CreateRequest{Path: path, Acl: zk.WorldACL(zk.PermAll), Flags: zk.FlagEphemeral}
}

// start starts haproxy-zk, and returns how long it took until it was ready.
func (e *estate) start(ctx context.Context) (time.Duration, error) {
	begun := time.Now()
	daemon, _, err := startDaemon(ctx, e.config, e.dir)
	e.daemon = daemon
	return time.Since(begun), err
}

func (e *estate) stop() error {
	if e.daemon == nil {
		return nil
	}
	err := errors.Join(e.daemon.Signal(unix.SIGTERM), e.daemon.Close())
	e.daemon = nil
	return err
}

func (e *estate) close() error {
	err := e.stop()
	for _, registry := range e.writers {
		registry.Close()
	}
	if e.zk != nil {
		err = errors.Join(err, e.zk.Close())
	}
	return errors.Join(err, os.RemoveAll(e.dir))
}

// startBare starts HAProxy with what haproxy-zk had rendered, and returns how long it took
// until it listened. haproxy-zk must be stopped.
func (e *estate) startBare(ctx context.Context) (took time.Duration, err error) {
	ctx, cancel := context.WithTimeout(ctx, startWithin)
	defer cancel()
	begun := time.Now()
	pids, err := launch(ctx, e.config.HAProxy, e.config.ConfFile(), filepath.Join(e.dir, "bare.pid"))
	if err != nil {
		return 0, err
	}
	took = time.Since(begun)
	if err := terminate(pids); err != nil {
		return 0, err
	}
	return took, gone(context.WithoutCancel(ctx), pids)
}

// worked returns the CPU time that haproxy-zk has used, and its resident memory in bytes.
func (e *estate) worked() (cpu time.Duration, memory int, err error) { return rig.Used(e.daemon.PID()) }
