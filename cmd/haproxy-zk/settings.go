package main

import (
	"cmp"
	"errors"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"strings"

	"github.com/caarlos0/env/v11"
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/haproxy-zk/haproxy-zk/config"
	"github.com/haproxy-zk/haproxy-zk/exitcode"
	"github.com/haproxy-zk/haproxy-zk/logging"
	"github.com/haproxy-zk/haproxy-zk/plan"
	"github.com/haproxy-zk/haproxy-zk/query"
	"github.com/haproxy-zk/haproxy-zk/supervisor"
)

// settings are those of the process, with what follows from them.
type settings struct{ config.Process }

// flags declares a flag for each setting; [settings.load] reads those that were given.
func (s *settings) flags(cmd *cobra.Command) {
	f := cmd.PersistentFlags()
	f.String("config", "", "configuration file (CONFIG; default "+config.DefaultFile+")")
	f.String("http-addr", "", "addresses of the query API, /metrics, /healthz and /readyz, separated by commas (HTTP_ADDR; default :21000)")
	f.String("http-detail-addr", "", "address that answers everything; HTTP_ADDR then answers less (HTTP_DETAIL_ADDR; default none)")
	f.String("http-token-file", "", "file of the token that HTTP requires, except for /healthz and /readyz; HUP reads it again (HTTP_TOKEN_FILE; default none)")
	f.String("http-tls-cert", "", "certificate with which HTTP is encrypted, in PEM; HUP reads it again (HTTP_TLS_CERT; default none)")
	f.String("http-tls-key", "", "private key of the certificate, in PEM; HUP reads it again (HTTP_TLS_KEY; default none)")
	f.String("run-dir", "", "directory of sockets, pid files and rendered configurations (RUN_DIR; default /run/haproxy-zk)")
	f.String("state-dir", "", "directory of the events and the registration cache, for a start without ZooKeeper (STATE_DIR; default /var/lib/haproxy-zk)")
	f.Duration("start-wait", 0, "how long HAProxy's start waits for ZooKeeper (START_WAIT; default 5s)")
	f.String("log-level", "", "debug, info, warn or error (LOG_LEVEL; default info)")
	f.String("log-format", "", "text or json (LOG_FORMAT; default text on a terminal, else json)")
	f.String("log-listen", "", "UDP address that receives HAProxy's log lines, as in 127.0.0.1:514, for a template with 'log 127.0.0.1 local0' (LOG_LISTEN; default none)")
	f.String("access-log", "", "where HAProxy's lines of requests go: off, stdout or a file, which HUP opens again (ACCESS_LOG; default haproxy-zk's log)")
	f.String("node-name", "", "name of this node, which /readyz, /ui, haproxyzk_node_info and the log's first line have (NODE_NAME; default none)")
	f.String("node-zone", "", "zone of this node, beside its name (NODE_ZONE; default none)")
	complete(cmd, "log-level", "debug", "info", "warn", "error")
	complete(cmd, "log-format", "text", "json")
}

// load reads the environment, then the flags of cmd, which win. A flag and its variable
// have the same name: --run-dir, RUN_DIR.
func (s *settings) load(cmd *cobra.Command) (err error) {
	given := make(map[string]string)
	cmd.Root().PersistentFlags().VisitAll(func(f *pflag.Flag) {
		if f.Changed {
			given[variableOf(f.Name)] = f.Value.String()
		}
	})
	if s.Process, err = config.NewProcess(env.ToMap(os.Environ()), given); err != nil {
		return exitcode.NewUsageError(err)
	}
	return nil
}

// variableOf returns the variable of a flag.
func variableOf(flag string) string { return strings.ToUpper(strings.ReplaceAll(flag, "-", "_")) }

// given returns what the flag of this name or its variable say, also where the settings
// could not be read; empty if they say nothing.
func given(root *cobra.Command, flag string) string {
	variable := variableOf(flag)
	return cmp.Or(root.PersistentFlags().Lookup(flag).Value.String(), os.Getenv(config.Prefix+variable), os.Getenv(variable))
}

// configuration reads the configuration. The caller reports the warnings. HAProxy, which
// gets the environment, does not get its secrets.
func (s *settings) configuration() (*config.Config, []config.Problem, error) {
	var mayPass bool
	cfg, warnings, err := s.Load(config.Environment{
		ReadFile: func(path string) ([]byte, error) {
			data, err := os.ReadFile(path)
			mayPass = mayPass || err != nil && exitcode.Of(exitcode.Classify(err)) != exitcode.Usage
			return data, err
		},
		CheckLine: plan.CheckLine,
		Forget:    func(variable string) { _ = os.Unsetenv(variable) }, // it fails for no name that is one
	})
	if err != nil && !mayPass {
		err = exitcode.NewUsageError(err)
	}
	return cfg, warnings, err
}

func (s *settings) httpFiles() query.AccessFiles {
	return query.AccessFiles{Token: s.HTTPTokenFile, Certificate: s.HTTPTLSCert, Key: s.HTTPTLSKey}
}

// client returns a client of the haproxy-zk that runs on this host.
func (s *settings) client() query.Client { return query.NewClient(s.HTTPAddrs()[0], s.httpFiles()) }

// access reads the files that say who may ask the HTTP port.
func (s *settings) access() (*query.Access, error) {
	access, err := s.httpFiles().Load()
	switch {
	case errors.As(err, new(*fs.PathError)):
		return nil, exitcode.Classify(err)
	case err != nil:
		return nil, exitcode.NewUsageError(err)
	}
	return access, nil
}

// checkAccess returns what is wrong with these files.
func (s *settings) checkAccess() error {
	_, err := s.access()
	return err
}

// logger returns a logger that writes to w as the settings say.
func (s *settings) logger(w io.Writer) *slog.Logger {
	return logging.New(logging.Options{Level: s.LogLevel, Format: s.LogFormat}, w)
}

// withReaper runs a command that starts HAProxy processes, and ends the reaper after it.
func (s *settings) withReaper(cmd *cobra.Command, do func(*supervisor.Reaper) error) error {
	reaper, stop, err := supervisor.StartReaper(s.logger(cmd.ErrOrStderr()))
	if err != nil {
		return err
	}
	defer stop()
	return do(reaper)
}
