package hactl

import (
	"context"
	"errors"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/haproxy-zk/haproxy-zk/registry"
)

const (
	// So often HAProxy is asked again without those in whose lines it finds fault.
	blamedTimes = 3
	// So many of the discovered groups are tried alone at the start. If HAProxy accepts
	// none it is not their fault, but that of the configuration.
	triedAtStart = 3
)

// faultLine is where HAProxy finds fault: `parsing [/etc/haproxy.conf:45] : …`.
var faultLine = regexp.MustCompile(`\[[^\]\s]*:([0-9]+)\]`)

// launch starts a generation with what is wanted now. A group whose name makes of its
// conditions or options what HAProxy does not accept is left out: it must not keep the
// others from their changes, nor dead workers from being replaced.
func (c *Controller) launch(ctx context.Context, cause string) (pids []int, tables []*Table, err error) {
	config, pids, tables, err := c.start(ctx, cause)
	refusal, suspects := err, c.suspects()
	starts := c.reloaded.IsZero()
	if !errors.Is(err, registry.ErrRefused) || len(suspects) == 0 {
		return pids, tables, err
	}
	var blamed []*group
	for range blamedTimes {
		found := blame(c.suspects(), config, err)
		setAside(found, true)
		blamed = append(blamed, found...)
		if len(found) == 0 || starts && len(blamed) == len(suspects) {
			break
		}
		if config, pids, tables, err = c.start(ctx, cause); !errors.Is(err, registry.ErrRefused) {
			break
		}
	}
	if errors.Is(err, registry.ErrRefused) {
		blamed = nil
		pids, tables, err = c.startWithout(ctx, cause, suspects)
	}
	if err != nil {
		setAside(suspects, false)
		if errors.Is(err, registry.ErrRefused) {
			err = refusal
		}
		return nil, nil, err
	}
	if len(suspects) == 1 {
		blamed = suspects
	}
	for _, g := range blamed {
		g.banned = true
		c.Metrics.refused.WithLabelValues(c.Proxy).Inc()
		c.Logger.Error("HAProxy does not accept a discovered group, it is not served: mend what the configuration makes of its name and reload, or delete it", "group", g.backend.Name, "error", refusal)
	}
	if len(blamed) == 0 {
		c.Logger.Warn("HAProxy does not accept one of the groups that were discovered, they are tried one by one", "groups", len(suspects), "error", refusal)
	}
	return pids, tables, nil
}

// startWithout starts a generation without the suspects; the first, which is to serve
// something, with one of them.
func (c *Controller) startWithout(ctx context.Context, cause string, suspects []*group) (pids []int, tables []*Table, err error) {
	setAside(suspects, true)
	if !c.reloaded.IsZero() {
		_, pids, tables, err = c.start(ctx, cause)
		return pids, tables, err
	}
	for _, g := range suspects[:min(len(suspects), triedAtStart)] {
		g.aside = false
		if _, pids, tables, err = c.start(ctx, cause); !errors.Is(err, registry.ErrRefused) {
			break
		}
		g.aside = true
	}
	return pids, tables, err
}

// start renders what is wanted now and starts a generation with it.
func (c *Controller) start(ctx context.Context, cause string) (config []byte, pids []int, tables []*Table, err error) {
	backends, tables := c.layout()
	config = c.Template.Render(c.Frame, backends, tables)
	wanted, needed := Files(config, tables)
	pids, err = c.Reloader.Reload(ctx, registry.Launch{Config: config, Cause: cause, FilesWanted: wanted, FilesNeeded: needed})
	return config, pids, tables, err
}

// suspects are the groups that HAProxy has never accepted.
func (c *Controller) suspects() (found []*group) {
	for _, g := range c.groups {
		if g.discovered && !g.accepted && !g.aside {
			found = append(found, g)
		}
	}
	return found
}

// blame returns those to whom the lines belong in which HAProxy finds fault.
func blame(suspects []*group, config []byte, refusal error) (found []*group) {
	lines := strings.Split(string(config), "\n")
	for _, match := range faultLine.FindAllStringSubmatch(refusal.Error(), -1) {
		n, err := strconv.Atoi(match[1])
		if err != nil || n < 1 || n > len(lines) {
			continue
		}
		owner := ownerOf(lines[:n])
		for _, g := range suspects {
			if g.backend.Name == owner && !slices.Contains(found, g) {
				found = append(found, g)
			}
		}
	}
	return found
}

// ownerOf tells whose the last line is: the group's that it names, or whose backend
// it is in; empty is nobody's.
func ownerOf(lines []string) string {
	for i, line := range slices.Backward(lines) {
		words := strings.Fields(line)
		if len(words) < 2 {
			continue
		}
		switch words[0] {
		case "backend":
			return words[1]
		case "acl", "use_backend":
			if i == len(lines)-1 {
				return words[1]
			}
		case "global", "defaults", "frontend", "listen":
			return ""
		}
	}
	return ""
}

func setAside(groups []*group, aside bool) {
	for _, g := range groups {
		g.aside = aside
	}
}

// readmit ends a reload that HAProxy accepted: of those that were left out one is to
// be tried with the next.
func (c *Controller) readmit() {
	var next *group
	for _, g := range c.groups {
		switch {
		case !g.aside:
			g.accepted = true
		case !g.banned && next == nil:
			next = g
		}
	}
	if next != nil {
		next.aside = false
		c.rearrange("groups")
	}
}

// pardon gives those another chance that HAProxy did not accept: whoever asks for a
// reload may have mended what was wrong.
func (c *Controller) pardon() {
	for _, g := range c.groups {
		g.aside, g.banned = false, false
	}
}
