package main

import (
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"maps"
	"net"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/caarlos0/env/v11"
	"github.com/spf13/cobra"

	"github.com/haproxy-zk/haproxy-zk/config"
)

const defaultConfig = "/etc/haproxy-zk/config.json"

// settings are those of the process, whatever its proxies are.
type settings struct {
	Config    string        `env:"CONFIG"`
	HTTPAddr  string        `env:"HTTP_ADDR" envDefault:":21000"`
	RunDir    string        `env:"RUN_DIR" envDefault:"/run/haproxy-zk"`
	StateDir  string        `env:"STATE_DIR" envDefault:"/var/lib/haproxy-zk"`
	StartWait time.Duration `env:"START_WAIT" envDefault:"5s"`
	LogLevel  slog.Level    `env:"LOG_LEVEL" envDefault:"info"`
	LogFormat string        `env:"LOG_FORMAT"`
	LogListen string        `env:"LOG_LISTEN"`

	environment map[string]string
	// logLevel is LogLevel while run lets it be changed; else nil.
	logLevel *slog.LevelVar
}

// flags declares a flag for each setting; [settings.load] reads those that were given.
func (s *settings) flags(cmd *cobra.Command) {
	f := cmd.PersistentFlags()
	f.String("config", "", "configuration file (CONFIG; default "+defaultConfig+")")
	f.String("http-addr", "", "address of the query API and metrics (HTTP_ADDR; default :21000)")
	f.String("run-dir", "", "folder of sockets, pid files and rendered configurations (RUN_DIR; default /run/haproxy-zk)")
	f.String("state-dir", "", "folder where what is registered is kept over restarts (STATE_DIR; default /var/lib/haproxy-zk)")
	f.Duration("start-wait", 0, "how long HAProxy's start waits for ZooKeeper (START_WAIT; default 5s)")
	f.String("log-level", "", "debug, info, warn or error (LOG_LEVEL; default info)")
	f.String("log-format", "", "text or json (LOG_FORMAT; default text on a terminal, else json)")
	f.String("log-listen", "", "UDP address where HAProxy's log lines are taken, as in 127.0.0.1:514 (LOG_LISTEN; default none)")
}

// level is that of the log.
func (s settings) level() slog.Leveler {
	if s.logLevel != nil {
		return s.logLevel
	}
	return s.LogLevel
}

// load reads the environment, then the flags of cmd, which win.
func (s *settings) load(cmd *cobra.Command) error {
	environment := env.ToMap(os.Environ())
	for flag, variable := range map[string]string{
		"config": "CONFIG", "http-addr": "HTTP_ADDR", "run-dir": "RUN_DIR", "state-dir": "STATE_DIR",
		"start-wait": "START_WAIT", "log-level": "LOG_LEVEL", "log-format": "LOG_FORMAT", "log-listen": "LOG_LISTEN",
	} {
		if f := cmd.Flag(flag); f != nil && f.Changed {
			environment[variable] = f.Value.String()
		}
	}
	if err := env.ParseWithOptions(s, env.Options{Environment: environment}); err != nil {
		return usageError{err}
	}
	switch s.LogFormat {
	case "", "text", "json":
	default:
		return usageError{fmt.Errorf("LOG_FORMAT %q: it is text or json", s.LogFormat)}
	}
	if s.LogListen != "" {
		if _, _, err := net.SplitHostPort(s.LogListen); err != nil {
			return usageError{fmt.Errorf("LOG_LISTEN %q: it is an address and a port, as in 127.0.0.1:514: %w", s.LogListen, err)}
		}
	}
	for name, dir := range map[string]string{"RUN_DIR": s.RunDir, "STATE_DIR": s.StateDir} {
		if !filepath.IsAbs(dir) {
			return usageError{fmt.Errorf("%s %q: it is an absolute path", name, dir)}
		}
	}
	s.environment = environment
	return nil
}

// configuration reads the configuration: the file that is named, else the usual
// one if it is there, else the environment alone. Warnings are the caller's to
// tell.
func (s *settings) configuration() (*config.Config, []config.Problem, error) {
	file := s.Config
	if file == "" {
		file = defaultConfig
	}
	data, err := os.ReadFile(file)
	if errors.Is(err, fs.ErrNotExist) {
		if s.Config != "" {
			return nil, nil, usageError{fmt.Errorf("configuration file %s is not there: name another with --config or CONFIG", s.Config)}
		}
		cfg, warnings, err := config.FromEnvironment(config.Environment{RunDir: s.RunDir, ReadFile: os.ReadFile}, s.environment)
		forgetSecrets()
		if err != nil {
			return nil, warnings, usageError{fmt.Errorf("there is no %s, so the environment describes one proxy:\n%w", defaultConfig, err)}
		}
		return cfg, warnings, nil
	}
	if err != nil {
		return nil, nil, usageError{fmt.Errorf("read the configuration: %w", err)}
	}
	others := maps.Clone(s.environment)
	cfg, warnings, err := config.Load(file, data, config.Environment{RunDir: s.RunDir, ReadFile: os.ReadFile, Lookup: func(name string) (string, bool) {
		delete(others, name) // the file asks for it
		text, set := s.environment[name]
		return text, set
	}})
	if err != nil {
		return nil, warnings, usageError{err}
	}
	forgetSecrets(cfg.SecretVariables...)
	if names := config.EnvironmentConflicts(others); len(names) > 0 {
		return nil, warnings, usageError{fmt.Errorf("%s and the environment (%s) both configure proxies: unset the variables, or write \"${%s}\" in the file instead", file, strings.Join(names, ", "), names[0])}
	}
	return cfg, warnings, nil
}

// forgetSecrets keeps the secrets of the environment from HAProxy, which gets the rest.
func forgetSecrets(more ...string) {
	for _, name := range append(more, "ADMIN_PASSWORD", "ZK_AUTH") {
		_ = os.Unsetenv(name) // it fails for no name that is one
	}
}
