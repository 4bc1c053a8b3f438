package hactl

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/haproxy-zk/haproxy-zk/hactl/slots"
	"github.com/haproxy-zk/haproxy-zk/haproxy"
	"github.com/haproxy-zk/haproxy-zk/registry"
)

const (
	// How often HAProxy is retried without the groups in whose lines it found errors.
	alertRetries = 3
	// How many names are logged.
	namesLogged = 10
)

// launch starts a generation with the desired state. Groups whose conditions or options
// HAProxy rejects are quarantined: they must not keep other groups from their changes,
// or dead workers from being replaced.
func (c *Controller) launch(ctx context.Context, cause Cause) (pids []int, tables []*slots.Table, err error) {
	if err := c.revise(ctx); err != nil {
		return nil, nil, err
	}
	config, pids, tables, err := c.start(ctx, cause)
	refusal, candidates := err, c.desired.candidates()
	if !errors.Is(err, registry.ErrRefused) || len(candidates) == 0 {
		return pids, tables, err
	}
	var offenders []*group
	for range alertRetries {
		found := offendersIn(c.desired.candidates(), config, err)
		leaveOut(found)
		offenders = append(offenders, found...)
		if len(found) == 0 || !c.viable() {
			break
		}
		if config, pids, tables, err = c.start(ctx, cause); !errors.Is(err, registry.ErrRefused) {
			break
		}
	}
	if errors.Is(err, registry.ErrRefused) {
		b := c.bisect(cause, c.desired.candidates())
		err = b.run(ctx)
		pids, tables, offenders = b.pids, b.tables, append(offenders, b.offenders...)
	}
	if err != nil {
		letIn(candidates)
		if errors.Is(err, registry.ErrRefused) {
			err = refusal
		}
		return nil, nil, err
	}
	c.desired.quarantine(offenders, refusal)
	return pids, tables, nil
}

// viable reports whether a generation would have the groups that the first one needs:
// at least one group, and at least one of those that a previous HAProxy had. If HAProxy
// rejects all of the latter, the configuration is wrong and the previous HAProxy had
// better keep serving.
func (c *Controller) viable() bool {
	rendered := c.desired.rendered()
	ran := func(g *group) bool { return g.discovered && g.ran() && !g.shadowed }
	return c.reloads.serving() || len(rendered) > 0 && (!slices.ContainsFunc(c.desired.groups, ran) || slices.ContainsFunc(rendered, ran))
}

// quarantine leaves the groups out until a reload is requested or they are recreated.
func (d *desired) quarantine(offenders []*group, refusal error) {
	if len(offenders) == 0 {
		return // no offender found for certain; some groups may be left out until the next reload
	}
	var names []string
	for _, g := range offenders {
		g.quarantine()
		d.opts.Metrics.refused.WithLabelValues(d.opts.Proxy).Inc()
		names = append(names, g.backend.Name)
	}
	d.opts.Logger.Error("HAProxy rejected discovered groups, not serving them; fix the ACLs or checks derived from their names and reload, or delete the groups", "groups", len(offenders), "names", names[:min(len(names), namesLogged)], "error", refusal)
}

// allQuarantined returns a message if HAProxy rejects all discovered groups, which
// suggests that the configuration makes something invalid of their names; otherwise it
// returns "".
func (d *desired) allQuarantined() string {
	tried := 0
	for _, g := range d.groups {
		switch {
		case g.state == quarantined:
			tried++
		case g.discovered && g.state == accepted:
			return ""
		}
	}
	if tried == 0 {
		return ""
	}
	return fmt.Sprintf("HAProxy rejects all %d discovered groups; fix the ACLs or checks derived from their names and reload", tried)
}

// start renders the desired state and starts a generation with it.
func (c *Controller) start(ctx context.Context, cause Cause) (config []byte, pids []int, tables []*slots.Table, err error) {
	r := c.desired.rendition()
	launch := r.launch(cause)
	pids, err = c.replace(ctx, launch)
	return launch.Config, pids, r.tables, err
}

// candidates returns the groups that HAProxy has never accepted.
func (d *desired) candidates() (found []*group) {
	for _, g := range d.groups {
		if g.discovered && g.state != accepted && !g.leftOut() {
			found = append(found, g)
		}
	}
	return found
}

// offendersIn returns the candidates to which the lines belong in which HAProxy found
// errors.
func offendersIn(candidates []*group, config []byte, refusal error) (found []*group) {
	lines := strings.Split(string(config), "\n")
	for _, n := range haproxy.AlertedLines(refusal.Error()) {
		if n > len(lines) {
			continue
		}
		owner := ownerOf(lines[:n])
		for _, g := range candidates {
			if g.backend.Name == owner && !slices.Contains(found, g) {
				found = append(found, g)
			}
		}
	}
	return found
}

// ownerOf returns the group that the last line names or whose backend it is in; empty
// if there is none.
func ownerOf(lines []string) string {
	switch keyword, name := haproxy.Opening(lines); keyword {
	case "backend", "acl", "use_backend":
		return name
	}
	return ""
}

func leaveOut(groups []*group) {
	for _, g := range groups {
		g.suspend()
	}
}

func letIn(groups []*group) {
	for _, g := range groups {
		g.readmit()
	}
}

// accept records that the running generation has its groups.
func (d *desired) accept() {
	for _, g := range d.rendered() {
		g.accept()
		g.running = len(g.table.Slots)
	}
}

// readmit readmits the groups that are suspended but not quarantined. It reports
// whether there are any; the next reload adds them.
func (d *desired) readmit() (again bool) {
	for _, g := range d.groups {
		again = g.readmit() || again
	}
	return again
}

// resetQuarantine readmits the groups that HAProxy rejected: the reload's
// requester may have fixed the configuration.
func (d *desired) resetQuarantine() {
	for _, g := range d.groups {
		g.reset()
	}
}
