package main

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/haproxy-zk/haproxy-zk/config"
	"github.com/haproxy-zk/haproxy-zk/hactl"
	"github.com/haproxy-zk/haproxy-zk/supervisor"
)

const checkHelp = `check finds what can be found without starting anything: what is wrong or
suspicious in the configuration and the template, what HAProxy says of the
result, what goes wrong with the HAProxy that is there, folders that cannot be
written, ports that are taken, and too few open files. Run it as the user, and
with the limits, that haproxy-zk runs with.

Each finding tells its severity (error, warning or note), its place and its
remedy. Nothing that runs is touched: where an HAProxy or a haproxy-zk of this
configuration runs already, its ports are its own.

Exit codes: 0 no errors, 2 errors, or warnings with --strict.`

func newCheck(s *settings) *cobra.Command {
	var strict, online bool
	var output string
	cmd := &cobra.Command{
		Use:   "check",
		Short: "tell everything that is wrong before it is started",
		Long:  checkHelp,
		Args:  noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			write := (*findings).writeText
			switch output {
			case "text":
			case "json":
				write = (*findings).writeJSON
			default:
				return usageError{fmt.Errorf("--output %q: it is text or json", output)}
			}
			reaper, stop, err := startReaper(newLogger(*s, cmd.ErrOrStderr()))
			if err != nil {
				return err
			}
			defer stop()
			found := check(cmd.Context(), s, reaper, online)
			if err := write(found, cmd.OutOrStdout()); err != nil {
				return err
			}
			return found.verdict(strict)
		},
	}
	cmd.Flags().BoolVar(&strict, "strict", false, "warnings are errors")
	cmd.Flags().BoolVar(&online, "online", false, "ask ZooKeeper as well (a few seconds a proxy)")
	cmd.Flags().StringVarP(&output, "output", "o", "text", "text or json")
	return cmd
}

func check(ctx context.Context, s *settings, reaper *supervisor.Reaper, online bool) *findings {
	found := &findings{}
	cfg, warnings, err := s.configuration()
	found.add(judgeConfiguration(cfg, warnings, err)...)
	if cfg == nil {
		return found
	}
	found.add(checkFolder("", "RUN_DIR", s.RunDir)...)
	for _, f := range checkFolder("", "STATE_DIR", s.StateDir) {
		f.Severity = isWarning
		f.Text += ": a start without ZooKeeper will serve nothing"
		found.add(f)
	}
	query := listening{network: "tcp", addr: s.HTTPAddr, where: "HTTP_ADDR"}
	var listens []listening
	for _, p := range cfg.Proxies {
		now := runningOf(p)
		query.ours = query.ours || now.locked
		for _, l := range checkProxy(ctx, s, reaper, p, now, found) {
			l.ours = now.locked || len(now.pids) > 0
			listens = append(listens, l)
		}
		if online {
			found.add(checkOnline(ctx, p)...)
		}
	}
	listens = append(listens, query)
	found.add(judgeClashes(listens)...)
	if s.LogListen != "" {
		listens = append(listens, listening{network: "udp", addr: s.LogListen, where: "LOG_LISTEN", ours: query.ours})
	}
	for _, l := range listens {
		if !l.ours {
			found.add(checkListen(l)...)
		}
	}
	return found
}

// checkProxy checks one proxy and returns what it would listen on.
func checkProxy(ctx context.Context, s *settings, reaper *supervisor.Reaper, p config.Proxy, now running, found *findings) []listening {
	found.add(checkFiles(p)...)
	found.add(now.note(p)...)
	pl, err := newPlan(ctx, s, reaper, p)
	if err != nil {
		found.add(judgePlan(p, err)...)
		// It was told already, unless HAProxy is missing.
		found.add(judgePlan(p, parseTemplate(p))...)
		return configuredListens(p)
	}
	rendered := pl.render()
	tables := make([]*hactl.Table, len(pl.backends))
	slots := 0
	for i, b := range pl.backends {
		tables[i] = hactl.NewTable(b.Servers.Last-b.Servers.First+1, b.WaitCheck)
		slots += len(tables[i].Slots)
	}
	wanted, needed := hactl.Files(rendered, tables)
	found.add(judgeVersion(p, pl.frame.Version)...)
	found.add(checkTemplate(ctx, reaper, pl, rendered)...)
	found.add(judgeReach(p.Name, pl.backends, rendered)...)
	found.add(checkIdentity(pl)...)
	found.add(checkLimit(p, wanted, needed)...)
	groups := plural(len(p.Groups), "group")
	if p.Discover != nil {
		groups += " and those that are discovered"
	}
	found.good = append(found.good, summary{p.Name, fmt.Sprintf("%s, HAProxy %s, %s, %s wanted",
		groups, pl.frame.Version, plural(slots, "slot"), plural(int(wanted), "descriptor"))})
	return renderedListens(pl, rendered)
}
