package report

import (
	"fmt"
	"slices"
	"strings"

	"github.com/haproxy-zk/haproxy-zk/haproxy"
	"github.com/haproxy-zk/haproxy-zk/query"
	"github.com/haproxy-zk/haproxy-zk/registry"
	"github.com/haproxy-zk/haproxy-zk/terminal"
)

// explainGroup finds the answer about a whole group.
func (e *explanation) explainGroup(k *known) {
	counts := make(map[string]int)
	serving, differing := 0, 0
	for _, d := range k.instances {
		counts[d.State]++
		if d.State == query.StateUp || d.State == query.StateHeld {
			serving++
		}
		if d.Differs {
			differing++
		}
		if d.State != query.StateUp || d.Differs {
			e.troubled = append(e.troubled, d)
		}
	}
	var parts []string
	for _, state := range []string{query.StateHeld, query.StateStarting, query.StateDrain, query.StateDown, query.StateMaint, query.StateWaiting} {
		if n := counts[state]; n > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", n, state))
		}
	}
	if differing > 0 {
		parts = append(parts, fmt.Sprintf("%d not the same in all workers", differing))
	}
	total := len(k.instances)
	e.verdict = verdict{style: terminal.Good, text: fmt.Sprintf("%s serves with all of its %s", e.name, plural(total, "instance", "instances"))}
	if len(parts) > 0 {
		e.verdict = verdict{style: terminal.Warning, text: fmt.Sprintf("%s serves with %d of %s: %s", e.name, serving, plural(total, "instance", "instances"), strings.Join(parts, ", "))}
	}
	registrations := k.proxy.Registrations[e.name.Group]
	switch {
	case k.liveError != nil:
		e.verdict = verdict{style: terminal.Bad, text: fmt.Sprintf("HAProxy does not say which instances of %s serve: %v", e.name, k.liveError)}
	case slices.Contains(k.proxy.Waiting, e.name.Group):
		e.verdict = verdict{style: terminal.Bad, text: fmt.Sprintf("%s was not read from %s yet", e.name, readFrom(k.proxy))}
	case total == 0:
		e.verdict = verdict{style: terminal.Bad, text: fmt.Sprintf("%s has no instance, its requests fail: nothing usable is registered", e.name)}
	case serving == 0:
		e.verdict.style, e.verdict.text = terminal.Bad, fmt.Sprintf("%s does not serve, its requests fail: %s", e.name, strings.Join(parts, ", "))
	}
	if counts[query.StateHeld] > 0 {
		e.verdict.remedy = append(e.verdict.remedy, "the loss guard holds instances that deregistered at once; if that was intended: haproxy-zk release "+e.name.String())
	}
	if slices.Contains(k.proxy.Full, e.name.Group) {
		e.verdict.style = terminal.Bad
		e.verdict.text += "; the group is full: the limit of servers is reached"
		e.verdict.remedy = append(e.verdict.remedy, "deregister what is not an instance, or split the group: docs/troubleshooting.md has the limits")
	}
	if counts[query.StateDown] > 0 {
		e.verdict.remedy = append(e.verdict.remedy, "repair the instances that are down, or the check (httpchk)")
	}
	e.addCarriage(k)
	for _, f := range registrations.Found {
		e.addFinding(registry.Finding(f))
	}
	e.addCircumstances(k)
}

// addCarriage adds how the group gets its servers. Slots are what everybody expects.
func (e *explanation) addCarriage(k *known) {
	switch {
	case k.carriedReason != "":
		e.fact(terminal.Warning, "carried by", "%s: %s", k.carriedBy, k.carriedReason)
	case k.carriedBy == string(haproxy.CarryServers):
		e.fact(terminal.Plain, "carried by", "%s, added and deleted without a reload", k.carriedBy)
	case k.carriedBy == string(haproxy.CarryBackends):
		e.fact(terminal.Plain, "carried by", "%s: the group and its servers are added and deleted without a reload", k.carriedBy)
	}
}

// addFinding adds what ZooKeeper has besides usable instances.
func (e *explanation) addFinding(f registry.Finding) {
	text := f.Problem
	if f.Count > 0 {
		text = fmt.Sprintf("%d such as %s: %s", f.Count, f.Example, f.Problem)
	}
	e.fact(terminal.Warning, "skipped", "%s", text)
	if f.Remedy != "" && !slices.Contains(e.verdict.remedy, f.Remedy) {
		e.verdict.remedy = append(e.verdict.remedy, f.Remedy)
	}
}
