package main

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"maps"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/caarlos0/env/v11"
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/haproxy-zk/haproxy-zk/config"
	"github.com/haproxy-zk/haproxy-zk/exitcode"
	"github.com/haproxy-zk/haproxy-zk/logging"
	"github.com/haproxy-zk/haproxy-zk/plan"
	"github.com/haproxy-zk/haproxy-zk/supervisor"
)

const defaultConfig = "/etc/haproxy-zk/config.json"

// settings are those of the process, whatever its proxies are.
type settings struct {
	Config         string        `env:"CONFIG"`
	HTTPAddr       string        `env:"HTTP_ADDR" envDefault:":21000"`
	HTTPDetailAddr string        `env:"HTTP_DETAIL_ADDR"`
	HTTPTokenFile  string        `env:"HTTP_TOKEN_FILE"`
	HTTPTLSCert    string        `env:"HTTP_TLS_CERT"`
	HTTPTLSKey     string        `env:"HTTP_TLS_KEY"`
	RunDir         string        `env:"RUN_DIR" envDefault:"/run/haproxy-zk"`
	StateDir       string        `env:"STATE_DIR" envDefault:"/var/lib/haproxy-zk"`
	StartWait      time.Duration `env:"START_WAIT" envDefault:"5s"`
	LogLevel       slog.Level    `env:"LOG_LEVEL" envDefault:"info"`
	LogFormat      string        `env:"LOG_FORMAT"`
	LogListen      string        `env:"LOG_LISTEN"`

	environment map[string]string
	// warnings are of variables that have no effect.
	warnings []config.Problem
}

// flags declares a flag for each setting; [settings.load] reads those that were given.
func (s *settings) flags(cmd *cobra.Command) {
	f := cmd.PersistentFlags()
	f.String("config", "", "configuration file (CONFIG; default "+defaultConfig+")")
	f.String("http-addr", "", "addresses of the query API and metrics, separated by commas (HTTP_ADDR; default :21000)")
	f.String("http-detail-addr", "", "address that answers everything; HTTP_ADDR then answers less (HTTP_DETAIL_ADDR; default none)")
	f.String("http-token-file", "", "file of the token that HTTP requires (HTTP_TOKEN_FILE; default none)")
	f.String("http-tls-cert", "", "certificate with which HTTP is encrypted, in PEM (HTTP_TLS_CERT; default none)")
	f.String("http-tls-key", "", "private key of the certificate, in PEM (HTTP_TLS_KEY; default none)")
	f.String("run-dir", "", "directory of sockets, pid files and rendered configurations (RUN_DIR; default /run/haproxy-zk)")
	f.String("state-dir", "", "directory of the registration cache and the events (STATE_DIR; default /var/lib/haproxy-zk)")
	f.Duration("start-wait", 0, "how long HAProxy's start waits for ZooKeeper (START_WAIT; default 5s)")
	f.String("log-level", "", "debug, info, warn or error (LOG_LEVEL; default info)")
	f.String("log-format", "", "text or json (LOG_FORMAT; default text on a terminal, else json)")
	f.String("log-listen", "", "UDP address that receives HAProxy's log lines, as in 127.0.0.1:514 (LOG_LISTEN; default none)")
	complete(cmd, "log-level", "debug", "info", "warn", "error")
	complete(cmd, "log-format", "text", "json")
}

// logger returns a logger that writes to w as the settings say.
func (s settings) logger(w io.Writer) *slog.Logger {
	return logging.New(logging.Options{Level: s.LogLevel, Format: s.LogFormat}, w)
}

// load reads the environment, then the flags of cmd, which win. A flag and its variable
// have the same name: --run-dir, RUN_DIR.
func (s *settings) load(cmd *cobra.Command) error {
	var variables []string
	given := make(map[string]string)
	cmd.Root().PersistentFlags().VisitAll(func(f *pflag.Flag) {
		variable := strings.ToUpper(strings.ReplaceAll(f.Name, "-", "_"))
		variables = append(variables, variable)
		if f.Changed {
			given[variable] = f.Value.String()
		}
	})
	environment, warnings := config.Resolve(env.ToMap(os.Environ()), variables...)
	for variable, text := range given {
		delete(environment, config.Prefix+variable)
		environment[variable] = text
	}
	s.warnings = warnings
	if err := env.ParseWithOptions(s, env.Options{Environment: environment}); err != nil {
		return exitcode.NewUsageError(explainVariables(err, environment))
	}
	s.environment = environment
	if err := s.validate(); err != nil {
		return exitcode.NewUsageError(err)
	}
	return nil
}

// configuration reads the configuration: the file that is named, else the usual
// one if it exists, else the environment alone. The caller reports the warnings.
func (s *settings) configuration() (*config.Config, []config.Problem, error) {
	file := s.Config
	if file == "" {
		file = defaultConfig
	}
	var reading reader
	data, err := reading.file(file)
	if errors.Is(err, fs.ErrNotExist) {
		if s.Config != "" {
			return nil, nil, exitcode.NewUsageError(fmt.Errorf("configuration file %s does not exist: name another with --config or CONFIG", s.Config))
		}
		cfg, warnings, err := config.FromEnvironment(config.Environment{RunDir: s.RunDir, ReadFile: reading.file, CheckLine: plan.CheckLine}, s.environment)
		forgetSecrets()
		warnings = slices.Concat(s.warnings, warnings)
		if err != nil {
			return nil, warnings, reading.judge(fmt.Errorf("there is no %s, so the environment describes one proxy:\n%w", defaultConfig, err))
		}
		return cfg, warnings, nil
	}
	if err != nil {
		return nil, nil, exitcode.Classify(fmt.Errorf("read the configuration: %w", err))
	}
	others := maps.Clone(s.environment)
	cfg, warnings, err := config.Load(file, data, config.Environment{RunDir: s.RunDir, ReadFile: reading.file, CheckLine: plan.CheckLine, Lookup: func(name string) (string, bool) {
		delete(others, strings.TrimPrefix(name, config.Prefix)) // the file asks for it
		text, set := s.environment[name]
		return text, set
	}})
	warnings = slices.Concat(s.warnings, warnings)
	if err != nil {
		return nil, warnings, reading.judge(err)
	}
	forgetSecrets(cfg.SecretVariables...)
	if names := config.EnvironmentConflicts(others); len(names) > 0 {
		return nil, warnings, exitcode.NewUsageError(fmt.Errorf("%s and the environment (%s) both configure proxies: unset the variables, or write \"${%s}\" in the file instead", file, strings.Join(names, ", "), names[0]))
	}
	return cfg, warnings, nil
}

// forgetSecrets keeps the secrets of the environment from HAProxy, which gets the rest.
func forgetSecrets(more ...string) {
	for _, name := range append(more, config.EnvironmentSecrets()...) {
		_ = os.Unsetenv(name) // it fails for no name that is one
	}
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
