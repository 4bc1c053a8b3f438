package hactl

import (
	"context"
	"fmt"

	"github.com/haproxy-zk/haproxy-zk/haproxy"
)

// setLayout sets the layout to render.
func (d *desired) setLayout(l Layout) {
	d.layout.Template, d.layout.Frame, d.layout.Backends, d.layout.Discover, d.layout.Current = l.Template, l.Frame, l.Backends, l.Discover, l.Current
}

// revise adapts the layout to the HAProxy version that the next launch starts, which an
// upgrade may have changed since the last one. On error nothing has changed.
func (c *Controller) revise(ctx context.Context) error {
	if c.desired.layout.Current == nil {
		return nil
	}
	var now Layout
	var err error
	c.meanwhile(ctx, func() { now, err = c.desired.layout.Current(ctx) })
	if err != nil {
		return err
	}
	before, version := c.desired.layout.Frame.Version, now.Frame.Version
	if version == before {
		c.desired.noticedVersion = version
		return nil
	}
	backends, err := c.desired.rebuilt(now)
	if err != nil {
		return err
	}
	c.desired.setLayout(now)
	for g, b := range backends {
		g.backend = b
		g.carry(now, g.carrier.Way(), g.refusal)
	}
	if version != c.desired.noticedVersion { // otherwise it is a retry
		c.desired.noticedVersion = version
		c.opts.Logger.Info("HAProxy's executable has changed, rendering for the new version", "old", before, "new", version)
	}
	return nil
}

// rebuilt returns the backend of each group in a layout that has all of them, except for
// those that are about to be removed.
func (d *desired) rebuilt(l Layout) (map[*group]haproxy.Backend, error) {
	written := make(map[string]haproxy.Backend, len(l.Backends))
	for _, b := range l.Backends {
		written[b.Name] = b
	}
	backends := make(map[*group]haproxy.Backend, len(d.groups))
	for _, g := range d.groups {
		if g.retired || g.discovered && l.Discover == nil {
			backends[g] = g.backend // it is left out, or will be
			continue
		}
		b := written[g.backend.Name]
		if g.discovered {
			var err error
			if b, err = l.Discover(g.backend.Name); err != nil {
				return nil, fmt.Errorf("make the backend of the group %s for HAProxy %s: %w", g.backend.Name, l.Frame.Version, err)
			}
		}
		backends[g] = b
	}
	return backends, nil
}

// ofVersions adds both versions to the error of a reload that was to start another
// version than the running one.
func (c *Controller) ofVersions(err error) error {
	if !c.reloads.serving() || c.fleet.runningVersion == c.desired.layout.Frame.Version {
		return err
	}
	return fmt.Errorf("HAProxy's executable has changed from %s to %s: %w", c.fleet.runningVersion, c.desired.layout.Frame.Version, err)
}
