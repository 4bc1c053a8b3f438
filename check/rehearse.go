package check

import (
	"context"
	"errors"
	"os"
	"slices"

	"github.com/haproxy-zk/haproxy-zk/config"
	"github.com/haproxy-zk/haproxy-zk/exitcode"
	"github.com/haproxy-zk/haproxy-zk/plan"
)

// Before is the running haproxy-zk while its successor is rehearsed: where it listens,
// and the pid files of its HAProxys.
type Before struct {
	// Known is false if haproxy-zk left no record, as earlier versions did not.
	Known     bool
	HTTPAddrs []string
	LogListen string
	PIDFiles  []string
}

// Rehearse returns what would keep a successor with this configuration from starting:
// rejections by HAProxy, and problems with directories and ports. It changes nothing.
func Rehearse(ctx context.Context, o Options, cfg *config.Config, before Before) error {
	plans, err := Plans(ctx, o.plans(), cfg)
	problems := []error{o.Access(), err}
	found := checkFolder("", "RUN_DIR", o.RunDir)
	if before.Known { // an earlier version left no record, and may listen there itself
		for _, l := range o.httpListens() {
			found = append(found, rehearseListen(l, before.HTTPAddrs...)...)
		}
		found = append(found, rehearseListen(listening{network: "udp", addr: o.LogListen, where: "LOG_LISTEN"}, before.LogListen)...)
	}
	for _, pl := range plans {
		problems = append(problems, Accept(ctx, o.Reaper, pl))
		found = append(found, rehearseProxy(pl, before)...)
	}
	if wrong := asFound(found); wrong != nil {
		problems = append(problems, exitcode.NewUsageError(wrong))
	}
	return errors.Join(problems...)
}

// rehearseListen tries to listen on an address unless the running haproxy-zk uses it.
func rehearseListen(l listening, now ...string) []finding {
	if l.addr == "" || slices.ContainsFunc(now, func(addr string) bool { return overlap(l, listening{network: l.network, addr: addr}) }) {
		return nil
	}
	return checkListen(l)
}

func rehearseProxy(pl *plan.Plan, before Before) []finding {
	found := checkFiles(pl.Proxy)
	if !slices.Contains(before.PIDFiles, pl.PIDFile) && isLocked(pl.PIDFile+".lock") {
		found = append(found, finding{Severity: isError, Where: pl.Name + ".pid_file", Text: pl.PIDFile + ".lock is locked: another haproxy-zk drives this proxy", Remedy: "stop it, or name another pid_file"})
	}
	bound := boundNow(pl.ConfFile)
	for _, l := range renderedListens(pl, pl.Render()) {
		if !bound[l.addr] {
			found = append(found, checkListen(l)...)
		}
	}
	return found
}

// boundNow returns the addresses in HAProxy's configuration file, which is that of the
// running HAProxy.
func boundNow(confFile string) map[string]bool {
	bound := make(map[string]bool)
	text, err := os.ReadFile(confFile)
	if err != nil {
		return bound // nothing is running
	}
	for _, l := range plan.Listens(text) {
		bound[l.Addr] = true
	}
	return bound
}
