package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/go-zookeeper/zk"

	"github.com/haproxy-zk/haproxy-zk/e2e/rig"
)

const (
	deletionWaves = 10
	perWave       = 50 // instances that leave and as many that die
	waveLasts     = 2 * time.Second
	// stayEchoes are the connections to instances that stay, waveEchoes those opened in each
	// wave.
	stayEchoes, waveEchoes = 300, 40
	// echoesEnd is how long after their instances have left connections end, the others of
	// them at echoesLast: later than servers could be deleted without them.
	echoesEnd, echoesLast = 5 * time.Second, 40 * time.Second
	// deletedWithin bounds how long servers and backends may stay.
	deletedWithin = 5 * time.Minute

	livingGroup, dyingGroup = "living", "dying"
)

const deletionsHeader = `
1,000 instances under load, half of which deregister and half of which die, and the deletion of their servers

| HAProxy | carried by | deleted | tried again | crashes | requests, lost | echoes on instances that stay, cut | that leave, cut | lost with the dead | all deleted after |
|---|---|---|---|---|---|---|---|---|---|
`

// deletions is a site whose instances leave and die in waves.
type deletions struct {
	*site
	groups       []string // of the waves, if their backends are deleted too
	stay         []*rig.Echo
	leave        []*leavingEcho
	living, dead *rig.Load
	extra        []rig.Result // loads of the waves' own groups
}

// leavingEcho is a connection to an instance that deregisters.
type leavingEcho struct {
	*rig.Echo
	ends time.Time
	cut  error
	over bool
}

// measureDeletions deletes the servers of 1,000 instances under load.
func measureDeletions(ctx context.Context, h rig.HAProxy, way string) (row string, err error) {
	s, err := newSite(ctx, h, way)
	if err != nil {
		return "", err
	}
	defer func() { err = errors.Join(err, s.close()) }()
	d := &deletions{site: s}
	defer d.end()
	for _, group := range []string{livingGroup, dyingGroup} {
		if _, err := d.enter(ctx, group, 2); err != nil {
			return "", err
		}
	}
	if d.stay, err = d.open(stayEchoes, livingGroup, dyingGroup); err != nil {
		return "", err
	}
	if err := d.request(ctx); err != nil {
		return "", err
	}
	for i := range deletionWaves {
		if err := d.wave(ctx, i, way == "backends"); err != nil {
			return "", fmt.Errorf("wave %d: %w", i, err)
		}
	}
	last := time.Now()
	err = rig.Eventually(ctx, deletedWithin, func() error {
		d.endEchoes(time.Now())
		return d.deleted()
	})
	if err != nil {
		return "", err
	}
	return d.row(time.Since(last))
}

// request starts requests to both groups: those to the second one wait for dead instances.
func (d *deletions) request(ctx context.Context) (err error) {
	start := func(group string, kept, fresh int) (*rig.Load, error) {
		load, err := rig.NewLoad(rig.LoadOptions{Addr: d.config.Listener(), Targets: []rig.Target{{Path: "/" + group + "/x", App: group}}, KeepAlive: kept, Fresh: fresh, MaxTime: carryLimit})
		if err == nil {
			load.Start(ctx)
		}
		return load, err
	}
	if d.living, err = start(livingGroup, 4, 8); err != nil {
		return err
	}
	d.dead, err = start(dyingGroup, 0, 16)
	return err
}

// enter starts instances and waits until they serve.
func (d *deletions) enter(ctx context.Context, group string, n int) (apps []*rig.App, err error) {
	path := "/bench/" + group
	if err := d.registry.Ensure(path); err != nil {
		return nil, err
	}
	var requests []any
	for range n {
		app, err := rig.StartApp(group)
		if err != nil {
			return nil, err
		}
		d.apps, apps = append(d.apps, app), append(apps, app)
		requests = append(requests, register(path+"/"+app.Addr()))
	}
	if _, err := d.registry.Conn().Multi(requests...); err != nil {
		return nil, err
	}
	return apps, rig.Eventually(ctx, exactWithin, func() error {
		servers, err := rig.ServersState(d.config.Sockets()[0])
		if err != nil {
			return err
		}
		serving := make(map[string]bool)
		for _, endpoint := range rig.Serving(servers, group) {
			serving[endpoint] = true
		}
		for _, app := range apps {
			if !serving[app.Addr()] {
				return fmt.Errorf("%s does not serve", app.Addr())
			}
		}
		return nil
	})
}

// depart deregisters instances.
func (d *deletions) depart(group string, apps []*rig.App) error {
	var requests []any
	for _, app := range apps {
		requests = append(requests, &zk.DeleteRequest{Path: "/bench/" + group + "/" + app.Addr(), Version: -1})
	}
	_, err := d.registry.Conn().Multi(requests...)
	return err
}

// wave lets instances enter, serve, and leave or die. With own there is also a group of the
// wave, whose backend is deleted.
func (d *deletions) wave(ctx context.Context, i int, own bool) error {
	living, err := d.enter(ctx, livingGroup, perWave)
	if err != nil {
		return err
	}
	dying, err := d.enter(ctx, dyingGroup, perWave)
	if err != nil {
		return err
	}
	leaving, groups := addrsOf(living), []string{livingGroup, dyingGroup}
	var temporary []*rig.App
	name := fmt.Sprintf("wave-%d", i)
	if own {
		if temporary, err = d.enter(ctx, name, 2); err != nil {
			return err
		}
		groups = append(groups, name)
		for addr := range addrsOf(temporary) {
			leaving[addr] = true
		}
	}
	opened, err := d.open(waveEchoes, groups...)
	if err != nil {
		return err
	}
	if own {
		if err := d.use(ctx, name); err != nil {
			return err
		}
	}
	if err := pauseFor(ctx, waveLasts); err != nil {
		return err
	}
	for _, app := range dying {
		if err := app.Kill(); err != nil {
			return err
		}
	}
	if err := errors.Join(d.depart(dyingGroup, dying), d.depart(livingGroup, living)); err != nil {
		return err
	}
	if own {
		d.groups = append(d.groups, name)
		if err := d.dissolve(name, temporary); err != nil {
			return err
		}
	}
	d.sort(opened, leaving, addrsOf(dying))
	d.endEchoes(time.Now())
	return nil
}

// use sends requests to a group for a moment.
func (d *deletions) use(ctx context.Context, group string) error {
	load, err := rig.NewLoad(rig.LoadOptions{Addr: d.config.Listener(), Targets: []rig.Target{{Path: "/" + group + "/x", App: group}}, Fresh: 4, MaxTime: carryLimit})
	if err != nil {
		return err
	}
	load.Start(ctx)
	err = pauseFor(ctx, waveLasts)
	d.extra = append(d.extra, load.Stop())
	return err
}

// dissolve deletes a group and its instances.
func (d *deletions) dissolve(group string, apps []*rig.App) error {
	return errors.Join(d.depart(group, apps), d.registry.Delete("/bench/"+group))
}

func addrsOf(apps []*rig.App) map[string]bool {
	addrs := make(map[string]bool)
	for _, app := range apps {
		addrs[app.Addr()] = true
	}
	return addrs
}

func pauseFor(ctx context.Context, d time.Duration) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(d):
		return nil
	}
}
