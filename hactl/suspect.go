package hactl

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/haproxy-zk/haproxy-zk/registry"
)

const (
	// So often HAProxy is asked again without those in whose lines it finds fault.
	blamedTimes = 3
	// So many names are told.
	namesTold = 10
)

// faultLine is where HAProxy finds fault: `parsing [/etc/haproxy.conf:45] : …`.
var faultLine = regexp.MustCompile(`\[/[^\]\s]*:([0-9]+)\]`)

// launch starts a generation with what is wanted now. A group whose name makes of its
// conditions or options what HAProxy does not accept is left out: it must not keep the
// others from their changes, nor dead workers from being replaced.
func (c *Controller) launch(ctx context.Context, cause string) (pids []int, tables []*Table, err error) {
	config, pids, tables, err := c.start(ctx, cause)
	refusal, suspects := err, c.suspects()
	if !errors.Is(err, registry.ErrRefused) || len(suspects) == 0 {
		return pids, tables, err
	}
	var guilty []*group
	for range blamedTimes {
		found := blame(c.suspects(), config, err)
		setAside(found, true)
		guilty = append(guilty, found...)
		if len(found) == 0 || !c.serves() {
			break
		}
		if config, pids, tables, err = c.start(ctx, cause); !errors.Is(err, registry.ErrRefused) {
			break
		}
	}
	if errors.Is(err, registry.ErrRefused) {
		b := c.bisect(cause, c.suspects())
		err = b.run(ctx)
		pids, tables, guilty = b.pids, b.tables, append(guilty, b.guilty...)
	}
	if err != nil {
		setAside(suspects, false)
		if errors.Is(err, registry.ErrRefused) {
			err = refusal
		}
		return nil, nil, err
	}
	c.ban(guilty, refusal)
	return pids, tables, nil
}

// serves tells whether a generation would have what the first one is to have: a group,
// and one of those that the HAProxy before had. If it accepts none of these any more
// that is the configuration's fault, and it had better serve on.
func (c *Controller) serves() bool {
	laid := c.laid()
	ran := func(g *group) bool { return g.discovered && g.ran }
	return !c.reloaded.IsZero() || len(laid) > 0 && (!slices.ContainsFunc(c.groups, ran) || slices.ContainsFunc(laid, ran))
}

// ban leaves groups out until somebody asks for a reload or creates them anew.
func (c *Controller) ban(guilty []*group, refusal error) {
	if len(guilty) == 0 {
		return // none was found for sure, some may be left out until the next reload
	}
	var names []string
	for _, g := range guilty {
		g.banned = true
		c.Metrics.refused.WithLabelValues(c.Proxy).Inc()
		names = append(names, g.backend.Name)
	}
	c.Logger.Error("HAProxy does not accept discovered groups, they are not served: mend what the configuration makes of their names and reload, or delete them", "groups", len(guilty), "names", names[:min(len(names), namesTold)], "error", refusal)
}

// allBanned says that HAProxy accepts none of the groups that are discovered, which is
// rather the fault of what the configuration makes of their names; else it is empty.
func (c *Controller) allBanned() string {
	banned := 0
	for _, g := range c.groups {
		switch {
		case g.banned:
			banned++
		case g.discovered && g.accepted:
			return ""
		}
	}
	if banned == 0 {
		return ""
	}
	return fmt.Sprintf("HAProxy accepts none of the groups that are discovered, %d were tried", banned)
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
	for said := range strings.Lines(refusal.Error()) {
		match := faultLine.FindStringSubmatch(said)
		if match == nil || !strings.Contains(said, "[ALERT]") {
			continue
		}
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
	switch keyword, name := Opening(lines); keyword {
	case "backend", "acl", "use_backend":
		return name
	}
	return ""
}

func setAside(groups []*group, aside bool) {
	for _, g := range groups {
		g.aside = aside
	}
}

// accept notes what the generation that runs now has.
func (c *Controller) accept() {
	for _, g := range c.laid() {
		g.accepted, g.running = true, len(g.table.Slots)
	}
}

// readmit lets those in with the next reload who were left out and are not guilty.
func (c *Controller) readmit() {
	again := false
	for _, g := range c.groups {
		if g.aside && !g.banned {
			g.aside, again = false, true
		}
	}
	if again {
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
