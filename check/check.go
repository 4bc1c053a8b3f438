package check

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/haproxy-zk/haproxy-zk/config"
	"github.com/haproxy-zk/haproxy-zk/haproxy"
	"github.com/haproxy-zk/haproxy-zk/plan"
	"github.com/haproxy-zk/haproxy-zk/supervisor"
	"github.com/haproxy-zk/haproxy-zk/syncer"
)

// Options are what to check besides the proxies, and how.
type Options struct {
	// HTTPAddrs and LogListen are host:port; LogListen may be empty. HTTPVariables are the
	// variables in which the addresses are.
	HTTPAddrs, HTTPVariables []string
	LogListen                string
	RunDir, StateDir         string
	AccessLog                string
	// Access returns what is wrong with the files of the HTTP port; nil if nothing is. It
	// may block.
	Access func() error
	// Online also checks what ZooKeeper and the directory have, which takes a few seconds
	// per proxy.
	Online bool
	Reaper *supervisor.Reaper
}

func (o Options) plans() plan.Options { return plan.Options{RunDir: o.RunDir, Reaper: o.Reaper} }

// Run checks the configuration and warnings returned by read, and everything that can
// be checked on this host without starting anything. It blocks until HAProxy, and
// ZooKeeper, have answered; once ctx is done its findings are incomplete.
func Run(ctx context.Context, o Options, read func() (*config.Config, []config.Problem, error)) *Findings {
	found := &Findings{}
	cfg, warnings, err := read()
	found.add(judgeConfiguration(cfg, warnings, err)...)
	if cfg == nil {
		return found
	}
	found.add(checkFolder("", "RUN_DIR", o.RunDir)...)
	for _, f := range checkFolder("", "STATE_DIR", o.StateDir) {
		f.Severity = isWarning
		f.Text += ": " + withoutState(cfg)
		found.add(f)
	}
	if err := o.Access(); err != nil {
		variable, text, _ := strings.Cut(err.Error(), ": ")
		found.add(finding{Severity: isError, Where: variable, Text: text})
	}
	found.add(checkAccessLog(o.AccessLog)...)
	queries := o.httpListens()
	ours := false
	var listens []listening
	plans := make(map[string]*plan.Plan)
	for _, p := range cfg.Proxies {
		now := runningOf(p)
		ours = ours || now.locked
		all, pl := checkProxy(ctx, o, p, now, found)
		plans[p.Name] = pl
		for _, l := range all {
			l.ours = now.locked || len(now.pids) > 0
			listens = append(listens, l)
		}
	}
	for _, l := range queries {
		l.ours = ours
		listens = append(listens, l)
	}
	own := syncer.NewListeners()
	own.Set(addresses(listens))
	for _, p := range cfg.Proxies {
		var groups []string
		if o.Online {
			var more []finding
			more, groups = checkOnline(ctx, p, own)
			found.add(more...)
		}
		if pl := plans[p.Name]; pl != nil {
			found.add(checkDiscovered(ctx, o.Reaper, pl, groups, cfg.Variables)...)
		}
	}
	found.add(judgeClashes(listens)...)
	if o.LogListen != "" {
		listens = append(listens, listening{network: "udp", addr: o.LogListen, where: "LOG_LISTEN", ours: ours})
	}
	for _, l := range listens {
		if !l.ours {
			found.add(checkListen(l)...)
		}
	}
	return found
}

// withoutState returns what is missing at a start without files of an earlier process.
func withoutState(cfg *config.Config) string {
	var sources []string
	if slices.ContainsFunc(cfg.Proxies, func(p config.Proxy) bool { return len(p.ZooKeeper.Servers) > 0 }) {
		sources = append(sources, "ZooKeeper")
	}
	if slices.ContainsFunc(cfg.Proxies, func(p config.Proxy) bool { return p.Dir != "" }) {
		sources = append(sources, "the directory")
	}
	if len(sources) == 0 {
		return "events are lost with the process"
	}
	return "a start without " + strings.Join(sources, " or ") + " will serve nothing"
}

// checkProxy checks one proxy. It returns the addresses that the proxy would listen on,
// and its plan if that is valid.
func checkProxy(ctx context.Context, o Options, p config.Proxy, now running, found *Findings) ([]listening, *plan.Plan) {
	found.add(checkFiles(p)...)
	found.add(checkDirectory(p)...)
	found.add(now.note(p)...)
	pl, err := plan.New(ctx, o.plans(), p)
	if err != nil {
		found.add(judgePlan(p, err)...)
		// Already reported, unless HAProxy is missing.
		found.add(judgePlan(p, parseTemplate(p))...)
		return configuredListens(p), nil
	}
	pl = pl.Ahead()
	rendered := pl.Render()
	slots := pl.Slots()
	wanted, needed := haproxy.Files(rendered, slots, 0)
	clock := time.Now()
	found.add(judgeVersion(p, pl.Frame.Version, clock)...)
	found.add(checkTemplate(ctx, o.Reaper, subject{Plan: pl}, rendered)...)
	found.add(judgeReach(p.Name, pl.Backends, rendered, pl.Maps())...)
	found.add(checkIdentity(pl)...)
	found.add(checkLimit(p, wanted, needed)...)
	if reason, remedy := pl.UnmeasuredReason(); reason != "" {
		found.add(finding{Proxy: p.Name, Severity: isWarning, Where: p.Name, Text: "latency_histogram stays empty: " + reason, Remedy: remedy})
	}
	if maxconn, few := pl.FittedMaxConn(); few {
		found.add(finding{
			Proxy: p.Name, Severity: isWarning, Where: p.Name,
			Text:   fmt.Sprintf("the limit of %d open files allows %d connections, others wait until one ends", pl.Frame.Files, maxconn),
			Remedy: supervisor.MoreFiles(65536),
		})
	}
	groups := plural(len(p.Groups), "group")
	if n := pl.CarriedByServers(); n > 0 {
		groups += fmt.Sprintf(" (%d carried by servers)", n)
	}
	if p.Discover != nil {
		groups += " and discovered groups"
	}
	found.good = append(found.good, summary{
		proxy:   p.Name,
		haproxy: strings.Join(append([]string{"HAProxy " + pl.Frame.Version.String()}, pl.Frame.Version.Describe(clock)...), "\n    "),
		text:    fmt.Sprintf("%s, HAProxy %s, %s, %s wanted", groups, pl.Frame.Version, plural(slots, "slot"), plural(int(wanted), "descriptor")),
	})
	return renderedListens(pl, rendered), pl
}
