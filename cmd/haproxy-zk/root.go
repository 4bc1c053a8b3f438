package main

import (
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"github.com/haproxy-zk/haproxy-zk/exitcode"
)

const longHelp = `haproxy-zk keeps HAProxy's servers in sync with what is registered in ZooKeeper.

Instances register as ephemeral znodes named ip:port below a path such as
/services/web-a/instances. haproxy-zk renders HAProxy's configuration from a
template, starts HAProxy, and puts instances into service and takes them out
through HAProxy's stats sockets: in every worker process, without a reload and
without a lost request.

Without a command it runs in the foreground:

  haproxy-zk --config /etc/haproxy-zk/config.json

Signals:
  TERM, INT  stop: /readyz is 503 at once; after stop_delay HAProxy closes its
             listeners and finishes the running requests within stop_grace, then
             everything ends; a second one ends it at once
  QUIT       stop at once; running requests are cut
  USR1       soft stop: HAProxy finishes all its connections, however long that
             takes; TERM afterwards starts the grace period
  USR2       reload HAProxy of every proxy without losing a request
  HUP        read configuration, template and files of secrets again, as
             haproxy-zk reload does. An invalid file changes nothing, is logged
             and stays visible in /readyz until it is fixed. Unchanged proxies
             are not touched, changed ones reload, new ones start, removed ones
             stop within stop_grace; a proxy whose exec, conf_file, pid_file or
             socket_files changed is stopped and started. The process settings
             do not change.
  TTIN, TTOU ignored: HAProxy's own pause and resume break listeners that several
             workers share
  ABRT       haproxy-zk ends and prints its goroutine stacks, for a bug report;
             HAProxy keeps serving
Any other signal is ignored or, like STOP and TSTP, has its usual effect on a
process. No signal is passed on to HAProxy.

The configuration is a JSON file, or environment variables alone:

  ZK_ADDR=10.0.0.1:2181 haproxy-zk
  SERVICES_DIR=/srv/services haproxy-zk

Then groups are discovered below ZK_PATH (/services/${group}/instances), or in the
directory, where web/instances/10.0.0.5:8080 is a file: /web and /web/… go to the
group web. ZK_GROUPS lists groups instead, MODE=tcp balances TCP,
ADMIN_USER and ADMIN_PASSWORD (or ADMIN_PASSWORD_FILE) allow changes on the stats
page. docs/configuration.md lists all keys and variables. A variable ${NAME} is
expanded in the values of the configuration.

Process settings are the flags below, or the variables that they name: flags take
precedence. Each variable also has a long name, as in HAPROXY_ZK_HTTP_ADDR, which
takes precedence over the short one. GOMEMLIMIT, which is Go's, is the memory limit of
haproxy-zk, as in 200MiB (default a quarter of the cgroup's limit).

Exit codes: 0 stopped as requested; 1 failed at run time, or beside an HAProxy of an
earlier start that still serves; 2 bad usage or configuration.`

func newRoot(stdout, stderr io.Writer) *cobra.Command {
	var s settings
	var showVersion bool
	root := &cobra.Command{
		Use:   "haproxy-zk [run]",
		Short: "keep HAProxy's servers in sync with ZooKeeper",
		Long:  longHelp,
		Example: `  haproxy-zk check --config /etc/haproxy-zk/config.json
  haproxy-zk --config /etc/haproxy-zk/config.json
  haproxy-zk get
  haproxy-zk explain ngboss/web-basecentre/10.0.0.5:8080`,
		Args:          noArgs,
		SilenceUsage:  true,
		SilenceErrors: true,
		PersistentPreRunE: func(cmd *cobra.Command, _ []string) error {
			if err := s.load(cmd); err != nil && !showVersion {
				return err
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, _ []string) error {
			if showVersion {
				return s.printVersion(cmd)
			}
			return run(cmd.Context(), s, stdout, stderr)
		},
	}
	root.SetOut(stdout)
	root.SetErr(stderr)
	root.SetFlagErrorFunc(func(cmd *cobra.Command, err error) error {
		return exitcode.NewUsageError(fmt.Errorf("%w; see %s --help", err, cmd.CommandPath()))
	})
	root.Flags().BoolVar(&showVersion, "version", false, "print the versions of haproxy-zk, Go and HAProxy")
	s.flags(root)
	root.AddCommand(
		&cobra.Command{
			Use:   "run",
			Short: "run in the foreground (the default)",
			Long:  longHelp,
			Args:  noArgs,
			RunE:  root.RunE,
		},
		newCheck(&s),
		newRender(&s),
		newStart(&s),
		newStop(&s),
		newRestart(&s),
		newStatus(&s),
		newRehearse(&s),
		newHealthcheck(&s),
		newGet(&s),
		newExplain(&s),
		newTop(&s),
		newEvents(&s),
		newRelease(&s),
		newReload(&s),
		newRegister(),
		newLogLevel(&s),
		newVersion(&s),
	)
	root.AddCommand(manPages()...)
	describeCobras(root)
	return root
}

// describeCobras describes the commands that cobra adds by itself like the others.
func describeCobras(root *cobra.Command) {
	root.InitDefaultHelpCmd()
	root.InitDefaultCompletionCmd()
	for _, cmd := range root.Commands() {
		switch cmd.Name() {
		case "completion":
			cmd.Short = "print the completions of a shell"
			cmd.Long = `completion prints a script that makes a shell complete commands, flags, and the names of
proxies and groups, which it asks of the running haproxy-zk. The deb and rpm packages
install these scripts.

Exit codes: 0 printed; 2 bad usage.`
			cmd.Example = `  source <(haproxy-zk completion bash)
  haproxy-zk completion zsh > "${fpath[1]}/_haproxy-zk"`
			for _, shell := range cmd.Commands() {
				shell.Short = "print the completions of " + shell.Name()
			}
		case "help":
			cmd.Short = "show the help of a command"
			cmd.Long = "help shows the help of a command, as --help does."
			cmd.Example = "  haproxy-zk help explain"
		}
	}
}

// noArgs rejects arguments, and suggests the command that was probably meant.
func noArgs(cmd *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	err := fmt.Errorf("unknown command or argument %q; see %s --help", args[0], cmd.CommandPath())
	if likely := suggestions(cmd, args[0]); likely != "" {
		err = fmt.Errorf("unknown command or argument %q: did you mean %s?", args[0], likely)
	}
	return exitcode.NewUsageError(err)
}

// atMostOne rejects more than one argument.
func atMostOne(cmd *cobra.Command, args []string) error { return noArgs(cmd, args[min(1, len(args)):]) }

func suggestions(cmd *cobra.Command, word string) string {
	if cmd.SuggestionsMinimumDistance <= 0 {
		cmd.SuggestionsMinimumDistance = 2
	}
	return strings.Join(cmd.SuggestionsFor(word), " or ")
}
