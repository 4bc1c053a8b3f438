package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"sync"

	"github.com/spf13/cobra"

	"github.com/haproxy-zk/haproxy-zk/config"
	"github.com/haproxy-zk/haproxy-zk/exitcode"
	"github.com/haproxy-zk/haproxy-zk/logging"
	"github.com/haproxy-zk/haproxy-zk/plan"
	"github.com/haproxy-zk/haproxy-zk/register"
	"github.com/haproxy-zk/haproxy-zk/supervisor"
	"github.com/haproxy-zk/haproxy-zk/syncer"
)

const registerHelp = `register keeps an application registered in ZooKeeper that cannot register itself.
It creates an ephemeral node once the check succeeds, deletes it when the check has
failed three times in a row (--failures), and creates it again when it succeeds, or
when ZooKeeper has lost the session. It is needed beside each instance, not beside
haproxy-zk.

With a command behind -- it starts that command, as process 1 of a container too: it
forwards signals, reaps orphans, and exits with the command's exit code. Without one
it is a sidecar.

TERM and INT deregister first. The command gets the signal 5 s later (--drain), and
SIGKILL when it has not ended 20 s after that (--grace). A second TERM or INT ends the
first wait; all other signals are forwarded at once. When the command ends by itself,
it is deregistered at once.

Each flag has a variable: ZK_ADDR for --zk, ZK_PATH and so on for --zk-…, and
REGISTER_GROUP and so on for the others; flags take precedence. Each variable also
has a long name, as in HAPROXY_ZK_REGISTER_GROUP, which takes precedence. The
password of ZooKeeper is in ZK_AUTH or the file --zk-auth-file; the command does not
get ZK_AUTH. docs/register.md explains the rest.

Exit codes: that of the command, 128 + N if signal N ended it, 126 if it cannot be
executed, 127 if it does not exist; without a command 0 when stopped as requested;
1 failed at run time; 2 bad usage.`

func newRegister() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "register --zk HOSTS --group NAME [flags] [-- COMMAND ARGS…]",
		Short: "register an application that cannot do it itself",
		Long:  registerHelp,
		Example: `  haproxy-zk register --zk zk1:2181,zk2:2181 --group web --address 10.0.0.5:8080 \
    --check http://127.0.0.1:8080/health -- java -jar web.jar
  haproxy-zk register --zk zk1:2181 --group redis --address :6379`,
		Args: func(cmd *cobra.Command, args []string) error {
			if before := cmd.ArgsLenAtDash(); before > 0 || before < 0 && len(args) > 0 {
				return exitcode.NewUsageError(fmt.Errorf("unknown argument %q: put -- before the command; see %s --help", args[0], cmd.CommandPath()))
			}
			return nil
		},
		// The settings of the root are the daemon's, and the environment is the application's.
		PersistentPreRunE: func(*cobra.Command, []string) error { return nil },
		RunE: func(cmd *cobra.Command, args []string) error {
			settings, options, err := readRegistration(cmd)
			if err != nil {
				return exitcode.NewUsageError(err)
			}
			return keepRegistered(cmd.Context(), settings, options, args, cmd.ErrOrStderr())
		},
	}
	declareRegisterFlags(cmd)
	return cmd
}

// keepRegistered starts the command, if there is one, and keeps it registered until it has
// ended or a stop is requested.
func keepRegistered(ctx context.Context, s *config.Registration, format logging.Options, args []string, stderr io.Writer) error {
	out := logging.NewOutput(stderr)
	defer out.Drain()
	log := logging.New(format, out)
	signals := register.HearSignals()
	defer signals.Close()
	reaper, stopReaper, err := supervisor.StartReaper(log)
	if err != nil {
		return err
	}
	defer stopReaper()
	options := register.Options{
		Instance: s.Instance, Address: s.Address, Check: s.Check, Servers: s.ZooKeeper.Servers,
		Interval: s.Interval, Timeout: s.Timeout, Rules: s.Rules,
		Reports: register.NewReports(), Signals: signals, Logger: log,
	}
	if len(args) > 0 {
		command, err := startCommand(reaper, args)
		if err != nil {
			return err
		}
		log.Info("started the command", "pid", command.PID)
		options.Command = command
	}
	registrar := newRegistrar(s, options.Reports, log)
	options.Registrar = registrar
	running, cancel := context.WithCancel(ctx)
	var registering sync.WaitGroup
	var failure error
	registering.Go(func() { failure = registrar.Run(running) })
	code := register.Run(ctx, options)
	cancel()
	registering.Wait()
	if code != 0 {
		return exitcode.Error{Code: code}
	}
	return failure
}

func newRegistrar(s *config.Registration, reports register.Reports, log *slog.Logger) *syncer.Registrar {
	return syncer.NewRegistrar(syncer.RegistrarOptions{
		Servers: s.ZooKeeper.Servers, Chroot: s.ZooKeeper.Chroot, SessionTimeout: s.SessionTimeout,
		Auth: s.ZooKeeper.Auth.Reveal(), SASL: s.ZooKeeper.SASL.Reveal(), Secure: plan.Secure(s.ZooKeeper.TLS),
		Parent: s.Path, Access: syncer.Access(s.Access), Report: reports.Send, Logger: log,
	})
}

// The exit codes of shells for a command that cannot be started.
const (
	exitNotExecutable = 126
	exitNotFound      = 127
)

func startCommand(reaper *supervisor.Reaper, args []string) (*supervisor.Command, error) {
	code := exitNotExecutable
	path, err := exec.LookPath(args[0])
	if err == nil {
		var command *supervisor.Command
		if command, err = reaper.StartCommand(path, args); err == nil {
			return command, nil
		}
	} else if errors.Is(err, exec.ErrNotFound) || errors.Is(err, os.ErrNotExist) {
		code = exitNotFound
	}
	return nil, exitcode.Error{Code: code, Text: fmt.Sprintf("cannot start the command: %v", err)}
}
