package report

import (
	"cmp"
	"context"
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/haproxy-zk/haproxy-zk/decode"
	"github.com/haproxy-zk/haproxy-zk/intake"
	"github.com/haproxy-zk/haproxy-zk/query"
	"github.com/haproxy-zk/haproxy-zk/registry"
	"github.com/haproxy-zk/haproxy-zk/terminal"
)

// explanation says what is the case with an instance or a group, and what to do.
type explanation struct {
	name     Name
	now      time.Time
	verdict  verdict
	facts    []fact
	workers  []query.WorkerDetail
	troubled []query.InstanceDetail
	events   []event
}

// verdict is the answer, and what to do, which may be nothing.
type verdict struct {
	style  terminal.Style
	text   string
	remedy []string
}

// fact is a line below the answer.
type fact struct {
	what, text string
	style      terminal.Style
}

func (e *explanation) fact(style terminal.Style, what, format string, args ...any) {
	e.facts = append(e.facts, fact{what, fmt.Sprintf(format, args...), style})
}

// lastEvents is how many events an explanation has.
const lastEvents = 8

// known is what the port answers about a group.
type known struct {
	proxy     query.Condition
	instances []query.InstanceDetail
	skipped   []query.SkippedDetail
	// skippedMore is how many more children are not used.
	skippedMore int
	// carriedBy is how the group gets its servers, carriedReason why that is not as configured.
	carriedBy, carriedReason string
	// liveError is why nothing is known of the workers; nil if something is.
	liveError error
	silent    int
	stale     bool
	// all are the instances in service everywhere, unless the workers report what is asked
	// for.
	all listed
}

// Explain writes to a page what is the case with PROXY/GROUP/INSTANCE or PROXY/GROUP, and
// what to do. Its error is an [UnknownError] if there is no such proxy or group.
func Explain(ctx context.Context, port Port, p *terminal.Page, n Name) error {
	e, err := newExplanation(ctx, port, n)
	if err != nil {
		return err
	}
	e.writeTo(p)
	return nil
}

func newExplanation(ctx context.Context, port Port, n Name) (*explanation, error) {
	var k known
	var events eventList
	var readiness ready
	var readinessError error
	var asking sync.WaitGroup
	asking.Go(func() { readiness, _, readinessError = ask[ready](ctx, port, "/readyz") })
	asking.Go(func() {
		values := url.Values{"proxy": {n.Proxy}, "group": {n.Group}}
		events, _, _ = ask[eventList](ctx, port, "/events?"+values.Encode()) // the answer is complete without
	})
	details, header, err := ask[map[string]map[string]query.GroupDetail](ctx, port, n.Path()+"?detail")
	asking.Wait()
	if k.liveError = err; err == nil {
		group := details[n.Proxy][n.Group]
		k.instances, k.skipped, k.skippedMore = group.Instances, group.Skipped, group.SkippedMore
		k.carriedBy, k.carriedReason = group.CarriedBy, group.CarriedReason
		k.silent, _ = strconv.Atoi(header.Get("Haproxy-Zk-Silent-Workers"))
	}
	// Everything is much more than one group: it is asked for only if it is needed.
	if err != nil || n.Instance != "" && !k.reports(n.Instance) {
		if k.all, header, err = find(ctx, port, n); err != nil {
			return nil, err
		}
	}
	if readinessError != nil {
		return nil, readinessError
	}
	k.stale = header.Get("Haproxy-Zk-Stale") != ""
	k.proxy = readiness.Proxies[n.Proxy]
	e := &explanation{name: n, now: time.Now()}
	if n.Instance == "" {
		e.explainGroup(&k)
	} else {
		e.explainInstance(&k)
	}
	e.addEvents(events)
	return e, nil
}

// reports reports whether a worker reports an instance, or the registry has it.
func (k *known) reports(instance string) bool {
	i, err := decode.Address(instance)
	return err == nil && slices.ContainsFunc(k.instances, func(d query.InstanceDetail) bool { return d.Address == i.String() })
}

// ofFiles reports whether the instances of the proxy come from files alone.
func (k *known) ofFiles() bool { return k.proxy.ZooKeeper == "" && k.proxy.Directory != "" }

// addEvents adds what happened to the instance or group lately.
func (e *explanation) addEvents(all eventList) {
	mine := slices.DeleteFunc(all.Events, func(o event) bool { return e.name.Instance != "" && o.Instance != "" && o.Instance != e.name.Instance })
	e.events = mine[max(0, len(mine)-lastEvents):]
}

// explainInstance finds the answer about an instance.
func (e *explanation) explainInstance(k *known) {
	if e.explainSkipped(k) {
		return
	}
	instance, problem := decode.Address(e.name.Instance)
	if problem != nil {
		e.explainBadName(k, problem)
		return
	}
	e.name.Instance = instance.String()
	i := slices.IndexFunc(k.instances, func(d query.InstanceDetail) bool { return d.Address == e.name.Instance })
	switch {
	case k.liveError != nil:
		e.explainWithoutWorkers(k)
	case i < 0:
		e.explainMissing(k)
	default:
		d := k.instances[i]
		e.workers = d.Workers
		e.verdict = e.judge(&d, k)
		registered := "yes"
		switch {
		case d.State == query.StateHeld:
			registered = "no longer, the loss guard keeps it in service"
		case d.Reason == deregistered:
			registered = "no longer"
		}
		e.fact(terminal.Plain, "registered", "%s", registered)
	}
	family := "IPv4"
	if instance.Addr.Addr().Is6() {
		family = "IPv6"
	}
	e.fact(terminal.Plain, "decoded", "%s address %s, port %d", family, instance.Addr.Addr(), instance.Addr.Port())
	e.addCircumstances(k)
}

// addCircumstances adds what else matters for every instance of the proxy.
func (e *explanation) addCircumstances(k *known) {
	reached := true
	for _, s := range sourcesOf(k.proxy) {
		style := terminal.Plain
		if !s.reached || s.slow {
			style = terminal.Bad
		}
		e.fact(style, s.name, "%s", s.text)
		reached = reached && s.reached
	}
	if k.stale && reached {
		e.fact(terminal.Warning, "registrations", "from the cache: %s has not been read yet", readFrom(k.proxy))
	}
	if formats := formatsOf(k, e.name.Group); formats != "" {
		e.fact(terminal.Plain, "format", "%s", formats)
	}
	if k.silent > 0 {
		e.fact(terminal.Warning, "workers", "%d do not answer and are missing here", k.silent)
	}
	if k.proxy.Problem != "" {
		e.fact(terminal.Bad, "problem", "%s", essence(k.proxy.Problem))
	}
}

// formatsOf returns how the registrations of a group were read, with their numbers; empty
// if all are named ip:port.
func formatsOf(k *known, group string) string {
	var parts []string
	for _, format := range sortedKeys(k.proxy.Formats[group]) {
		parts = append(parts, fmt.Sprintf("%s (%d)", format, k.proxy.Formats[group][format]))
	}
	return strings.Join(parts, ", ")
}

// explainSkipped finds the answer about a child that is registered and not used, and
// reports whether it is one.
func (e *explanation) explainSkipped(k *known) bool {
	i := slices.IndexFunc(k.skipped, func(s query.SkippedDetail) bool { return s.Name == intake.Printable(e.name.Instance) })
	serves := slices.ContainsFunc(k.instances, func(d query.InstanceDetail) bool { return d.Address == e.name.Instance })
	if i < 0 || serves { // by another child, or as it was read last
		return false
	}
	child := k.skipped[i]
	e.verdict = verdict{terminal.Bad, fmt.Sprintf("%s does not serve: %s", e.name, child.Problem), []string{child.Remedy}}
	e.fact(terminal.Plain, "registered", "yes")
	e.fact(terminal.Bad, "decoded", "not at all: %s (%s)", child.Problem, child.Kind)
	e.addCircumstances(k)
	return true
}

// explainBadName finds the answer about a name that is no instance.
func (e *explanation) explainBadName(k *known, problem error) {
	finding := intake.Classify(problem)
	remedy := finding.Remedy
	found := k.proxy.Registrations[e.name.Group].Found
	registered, skipped := "unknown: no child of this form is reported for the group", false
	for _, f := range found {
		if f.Kind == finding.Kind && f.Problem == finding.Problem {
			registered = fmt.Sprintf("%s registered in the group and skipped, such as %q", plural(f.Count, "child of this form is", "children of this form are"), f.Example)
			remedy, skipped = f.Remedy, true
		}
	}
	e.verdict = verdict{terminal.Bad, fmt.Sprintf("%s does not serve: its name is not a usable ip:port: %s", e.name, finding.Problem), []string{remedy}}
	if formats := formatsOf(k, e.name.Group); formats != "" && !skipped { // then a name may be anything
		e.verdict = verdict{terminal.Warning, fmt.Sprintf("%s is not an address, and the group's registrations are read as %s", e.name, formats), []string{"give the address that it registers; for all of the group: haproxy-zk explain " + e.name.Proxy + "/" + e.name.Group}}
	}
	e.fact(terminal.Plain, "registered", "%s", registered)
	if k.skippedMore > 0 {
		e.fact(terminal.Warning, "skipped", "it may be one of %s not used either, of which the names are not kept", plural(k.skippedMore, "more child that is", "more children that are"))
	}
	e.fact(terminal.Bad, "decoded", "not at all: %s (%s)", finding.Problem, finding.Kind)
	e.addCircumstances(k)
}

// explainWithoutWorkers finds the answer while no worker reports anything.
func (e *explanation) explainWithoutWorkers(k *known) {
	meant := slices.Contains(k.all[e.name.Proxy][e.name.Group].Instances, e.name.Instance)
	text := "is not registered"
	if meant {
		text = "is registered"
	}
	e.verdict = verdict{terminal.Bad, fmt.Sprintf("%s %s, and HAProxy does not say whether it serves: %v", e.name, text, k.liveError), []string{"haproxy-zk status"}}
}

// explainMissing finds the answer about an instance that neither a source nor a worker
// has.
func (e *explanation) explainMissing(k *known) {
	e.verdict = verdict{style: terminal.Bad, text: fmt.Sprintf("%s does not serve: it is not registered", e.name)}
	e.fact(terminal.Bad, "registered", "no")
	proxy := k.all[e.name.Proxy]
	for _, group := range sortedKeys(proxy) {
		if slices.Contains(proxy[group].Instances, e.name.Instance) {
			e.verdict.text = fmt.Sprintf("%s does not serve here: it is registered in the group %s", e.name, group)
			e.verdict.remedy = append(e.verdict.remedy, fmt.Sprintf("haproxy-zk explain %s/%s/%s", e.name.Proxy, group, e.name.Instance))
		}
	}
	for _, f := range k.proxy.Registrations[e.name.Group].Found {
		if f.Example == e.name.Instance || f.Kind == registry.Refused {
			e.verdict.text = fmt.Sprintf("%s does not serve: %s", e.name, f.Problem)
			if f.Example != e.name.Instance {
				e.verdict.text = fmt.Sprintf("%s does not serve: it is not registered, or it is one of %d that are refused, such as %s: %s", e.name, f.Count, f.Example, f.Problem)
			}
			e.verdict.remedy = append(e.verdict.remedy, f.Remedy)
		}
	}
	if slices.Contains(k.proxy.Waiting, e.name.Group) || slices.Contains(k.proxy.Waiting, registry.AllGroups) {
		e.verdict = verdict{terminal.Bad, fmt.Sprintf("%s does not serve: the group was not read from %s yet", e.name, readFrom(k.proxy)), []string{"haproxy-zk status"}}
	}
	if len(e.verdict.remedy) == 0 {
		e.verdict.remedy = []string{"check the application: is it running, is its ZooKeeper session alive, does it register below this group's path?"}
		if k.ofFiles() {
			e.verdict.remedy = []string{"check the directory: does this group have a file of that name?"}
		}
	}
	var others []string
	for _, d := range k.instances {
		if near(d.Address, e.name.Instance) {
			others = append(others, d.Address)
		}
	}
	if len(others) > 0 {
		e.fact(terminal.Plain, "similar", "%s", cmp.Or(few(others), "none"))
	}
}
