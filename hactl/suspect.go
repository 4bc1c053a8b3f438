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
	// So many who are guilty are looked for in one reload, and at a start that has no
	// other groups. If there are more it is the configuration.
	bisections, bisectionsAtStart = 3, 20
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
		var found []*group
		pids, tables, found, err = c.bisect(ctx, cause, c.suspects())
		guilty = append(guilty, found...)
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

// bisect finds who is guilty, and starts a generation with the other suspects. When it
// has found enough it leaves those out that it did not come to: they are tried with the
// next reload.
func (c *Controller) bisect(ctx context.Context, cause string, suspects []*group) (pids []int, tables []*Table, guilty []*group, err error) {
	setAside(suspects, true)
	// Whom the HAProxy before had is rather accepted, and is needed most.
	left := slices.DeleteFunc(slices.Clone(suspects), func(g *group) bool { return !g.ran })
	ran := len(left)
	left = append(left, slices.DeleteFunc(slices.Clone(suspects), func(g *group) bool { return g.ran })...)
	accepted := 0 // so many of left are in the last generation that was started
	try := func(first int) (refused bool, err error) {
		setAside(left[:first], false)
		setAside(left[first:], true)
		if !c.serves() {
			return true, nil
		}
		_, now, with, err := c.start(ctx, cause)
		if err == nil {
			accepted, pids, tables = first, now, with
		}
		if errors.Is(err, registry.ErrRefused) {
			return true, nil
		}
		return false, err
	}
	most := bisections
	if setAside(left, true); !c.serves() {
		most = bisectionsAtStart
	}
	fails := func() error {
		for range most {
			for refused := len(left); refused-accepted > 1; {
				middle := (accepted + refused) / 2
				if accepted == 0 && 0 < ran && ran < refused {
					middle = ran
				}
				no, err := try(middle)
				if err != nil {
					return err
				}
				if no {
					refused = middle
				}
			}
			if accepted == len(left) {
				return nil
			}
			found := left[accepted]
			guilty = append(guilty, found)
			found.aside = true
			left = slices.Delete(left, accepted, accepted+1)
			if found.ran {
				ran--
			}
			if accepted > 0 && accepted == len(left) {
				return nil
			}
			if no, err := try(len(left)); err != nil || !no {
				return err
			}
		}
		return nil
	}
	err = fails()
	switch {
	case accepted > 0:
		// Whatever came after: this is what runs.
		setAside(left[:accepted], false)
		setAside(left[accepted:], true)
		return pids, tables, guilty, nil
	case err != nil || pids != nil:
		return pids, tables, guilty, err
	}
	no, err := try(0)
	if no {
		err = registry.ErrRefused
	}
	return pids, tables, guilty, err
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
