package main

import (
	"fmt"
	"io"

	"github.com/spf13/cobra"
)

const longHelp = `haproxy-zk keeps the servers of HAProxy equal to what is registered in ZooKeeper.

Applications register their instances as ephemeral children named ip:port of a
path such as /services/web-a/instances. haproxy-zk renders HAProxy's
configuration from a template, starts HAProxy, and from then on puts instances
into service and takes them out through HAProxy's stats sockets: without a
reload and without a lost request, in every worker process.

Without a command it runs in the foreground:

  haproxy-zk --config /etc/haproxy-zk/config.json

Signals:
  TERM, INT  stop: HAProxy finishes the running requests within stop_grace, then
             everything ends; a second one ends it at once
  QUIT       stop at once; running requests are cut
  USR1       stop softly: HAProxy finishes all its connections, however long that
             takes; TERM after it begins the grace
  USR2       reload HAProxy, of every proxy; no request is lost
  HUP        read the configuration, the template and the environment's files
             again. What is wrong with them is logged, and nothing changes.
             Proxies that did not change are not touched, others reload without
             a lost request, new ones start, and those that are gone stop within
             stop_grace. One whose exec, conf_file, pid_file or socket_files
             changed is stopped and started. The settings of the process below
             stay as they were.
  TTIN, TTOU ignored: HAProxy's own pause and resume break the listeners that
             several workers share
  ABRT       haproxy-zk ends with its stacks, for a report; HAProxy serves on
Any other signal is ignored or, like STOP and TSTP, does what it does to every
process. None is passed on to HAProxy.

The configuration is a JSON file, or the environment alone:

  ZK_ADDR=10.0.0.1:2181 haproxy-zk

Then the groups are those found below ZK_PATH (/services/${group}/instances):
/web and /web/… go to the group web. ZK_GROUPS names them instead, MODE=tcp
balances TCP, ADMIN_USER and ADMIN_PASSWORD (or ADMIN_PASSWORD_FILE) open the
stats page for changes. docs/configuration.md has all keys and variables.

Settings of the process (flags win over the environment):
  CONFIG       the configuration file (default ` + defaultConfig + `, if it is there)
  HTTP_ADDR    where the query API, /metrics, /healthz and /readyz listen (default :21000)
  RUN_DIR      sockets, pid files and rendered configurations (default /run/haproxy-zk)
  STATE_DIR    what was registered last, for a start without ZooKeeper (default /var/lib/haproxy-zk)
  START_WAIT   how long HAProxy's start waits for ZooKeeper (default 5s)
  LOG_LEVEL    debug, info, warn or error (default info)
  LOG_FORMAT   text or json (default text on a terminal, else json)
  LOG_LISTEN   a UDP address where HAProxy's log lines are taken, for templates that
               log as 'log 127.0.0.1 local0' does: 127.0.0.1:514 (default none)
  GOMEMLIMIT   the memory to keep to, as in 200MiB (default a quarter of what the cgroup allows)

Any ${NAME} in the configuration's values is a variable of the environment.

Exit codes: 0 stopped as asked, 1 failed at run time, 2 bad usage or configuration.`

func newRoot(stdout, stderr io.Writer) *cobra.Command {
	var s settings
	root := &cobra.Command{
		Use:           "haproxy-zk [run]",
		Short:         "ZooKeeper to HAProxy, live",
		Long:          longHelp,
		Args:          noArgs,
		SilenceUsage:  true,
		SilenceErrors: true,
		PersistentPreRunE: func(cmd *cobra.Command, _ []string) error {
			return s.load(cmd)
		},
		RunE: func(cmd *cobra.Command, _ []string) error { return run(cmd.Context(), s, stderr) },
	}
	root.SetOut(stdout)
	root.SetErr(stderr)
	root.SetFlagErrorFunc(func(cmd *cobra.Command, err error) error {
		return usageError{fmt.Errorf("%w; %s --help tells the flags", err, cmd.CommandPath())}
	})
	s.flags(root)
	root.AddCommand(
		&cobra.Command{
			Use:   "run",
			Short: "run in the foreground (the default)",
			Args:  noArgs,
			RunE:  root.RunE,
		},
		newCheck(&s),
		newRender(&s),
		newStart(&s),
		newStop(&s),
		newRestart(&s),
		newStatus(&s),
		newHealthcheck(&s),
		newGet(&s),
		newRelease(&s),
		&cobra.Command{
			Use:   "version",
			Short: "print the version",
			Args:  noArgs,
			RunE: func(cmd *cobra.Command, _ []string) error {
				_, err := fmt.Fprintln(cmd.OutOrStdout(), "haproxy-zk", version)
				return err
			},
		},
	)
	return root
}

func noArgs(cmd *cobra.Command, args []string) error {
	if len(args) > 0 {
		return usageError{fmt.Errorf("unknown command or argument %q; %s --help tells what there is", args[0], cmd.CommandPath())}
	}
	return nil
}
