package hactl

import (
	"slices"
	"strconv"
	"time"

	"github.com/haproxy-zk/haproxy-zk/registry"
)

// emptyFor is how long a discovered group that disappeared stays without an
// instance before its backend is dropped: a release may delete and create it.
const emptyFor = 60 * time.Second

// complete tells whether all that is registered has been read once.
func (c *Controller) complete() bool {
	return c.listed && !slices.ContainsFunc(c.groups, func(g *group) bool { return !g.filled })
}

// discover takes in which groups there are. A new one needs a backend, which
// only a reload brings; names written out in the configuration stay as they are.
func (c *Controller) discover(names []string) {
	c.listed = true
	there := make(map[string]bool, len(names))
	for _, name := range names {
		there[name] = true
	}
	known := make(map[string]*group, len(c.groups))
	added := 0
	for _, g := range c.groups {
		known[g.backend.Name] = g
		listed := !g.discovered || there[g.backend.Name]
		if listed && !g.listed && g.banned {
			g.aside, g.banned = false, false // it was created anew
			added++
		}
		g.listed = listed
		if !g.listed {
			g.see(registry.Group{Name: g.backend.Name}, time.Now())
		}
	}
	for _, name := range names {
		if known[name] != nil {
			continue
		}
		b, err := c.backend(name)
		if err != nil {
			c.refuse(name, err)
			continue
		}
		g := newGroup(b, true)
		c.groups, known[name] = append(c.groups, g), g
		added++
	}
	if added == 0 {
		return
	}
	arrange(c.groups)
	if len(c.workers) > 0 {
		c.Logger.Info("groups discovered, adding their backends by a reload", "groups", added)
		c.rearrange("groups")
	}
}

// backend makes the backend of a discovered group. The error tells why the name
// cannot be a group's.
func (c *Controller) backend(name string) (Backend, error) {
	b, err := c.Discover(name)
	if err == nil {
		err = c.Template.Validate(c.Frame, []Backend{b})
	}
	return b, err
}

// maxRefused bounds what is remembered of names that cannot be groups.
const maxRefused = 1000

// refuse logs a name that cannot be a group's, once.
func (c *Controller) refuse(name string, why error) {
	if c.refused[name] || len(c.refused) >= maxRefused {
		return
	}
	if c.refused == nil {
		c.refused = make(map[string]bool)
	}
	c.refused[name] = true
	c.Metrics.refused.WithLabelValues(c.Proxy).Inc()
	c.Logger.Warn("a discovered name cannot be a group's, it is not served", "name", strconv.QuoteToASCII(name[:min(len(name), 100)]), "reason", why)
}

// retire asks for a reload without the discovered groups that are gone.
func (c *Controller) retire() {
	c.retireAt = time.Time{}
	for _, g := range c.groups {
		if !g.gone() {
			continue
		}
		due := g.emptied.Add(emptyFor)
		if !due.After(time.Now()) {
			if c.reloadCause == "" && len(c.workers) > 0 {
				c.rearrange("groups")
			}
			continue
		}
		if c.retireAt.IsZero() || due.Before(c.retireAt) {
			c.retireAt = due
		}
	}
}

// gone tells whether a discovered group has disappeared and serves nobody, not even
// sticky sessions.
func (g *group) gone() bool {
	return g.discovered && !g.listed && len(g.meant) == 0 && g.table.Leaving() == 0
}

// dropEmptied drops the discovered groups that were gone for long enough.
func (c *Controller) dropEmptied() {
	before := len(c.groups)
	c.groups = slices.DeleteFunc(c.groups, func(g *group) bool {
		drop := g.gone() && time.Since(g.emptied) >= emptyFor
		if drop {
			c.Logger.Info("a discovered group is gone, dropping its backend", "group", g.backend.Name)
			c.Metrics.forgetGroup(c.Proxy, g.backend.Name)
		}
		return drop
	})
	if len(c.groups) < before {
		c.publish()
	}
}

// rearrange asks for a reload that is not urgent: those that wait become one.
func (c *Controller) rearrange(cause string) {
	if c.reloadCause == "" {
		c.reloadCause, c.reloadAt = cause, time.Now()
		if soonest := c.reloaded.Add(reloadGap); soonest.After(c.reloadAt) {
			c.reloadAt = soonest
		}
	}
}
