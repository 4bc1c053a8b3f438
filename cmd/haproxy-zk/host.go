package main

import (
	"os"
	"time"

	"github.com/spf13/cobra"

	"github.com/haproxy-zk/haproxy-zk/daemon/host"
)

// hostFlags are those of start, stop, restart and status.
type hostFlags struct {
	pidFile, logFile string
	patience         time.Duration
	haproxy          bool
}

// declare declares the flags of the host commands. Each command accepts all of them, so
// that a script can pass the same flags to every command.
func (f *hostFlags) declare(cmd *cobra.Command) {
	flags := cmd.Flags()
	flags.StringVar(&f.pidFile, "pid-file", "", "pid file of haproxy-zk (default RUN_DIR/haproxy-zk.pid)")
	flags.StringVar(&f.logFile, "log-file", "", "start and restart: append the log of haproxy-zk to this file (default RUN_DIR/haproxy-zk.log)")
	flags.DurationVar(&f.patience, "timeout", time.Minute, "stop and restart: how long haproxy-zk may take to exit")
	flags.BoolVar(&f.haproxy, "haproxy", false, "stop: stop HAProxy too")
}

// hostCommand completes one of the host commands.
func hostCommand(s *settings, cmd *cobra.Command, do func(*cobra.Command, *host.Host, *hostFlags) error) *cobra.Command {
	var f hostFlags
	f.declare(cmd)
	cmd.Args = noArgs
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		h, err := f.host(s)
		if err != nil {
			return err
		}
		return do(cmd, h, &f)
	}
	return cmd
}

// host is what the command works on.
func (f *hostFlags) host(s *settings) (*host.Host, error) {
	return host.New(host.Options{
		RunDir: s.RunDir, HTTPAddr: s.HTTPAddrs()[0], HTTPFiles: s.httpFiles(), StartWait: s.StartWait,
		PIDFile: f.pidFile, LogFile: f.logFile, Patience: f.patience,
		Configuration: s.configuration, Logger: s.logger(os.Stderr),
	})
}
