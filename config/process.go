package config

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/caarlos0/env/v11"
)

// DefaultFile is the configuration file that is read if it exists and no other is named.
const DefaultFile = "/etc/haproxy-zk/config.json"

// DefaultRunDir is the default of RUN_DIR.
const DefaultRunDir = "/run/haproxy-zk"

// Process has the settings of the process, which apply with and without a file. The zero
// value has none, not even defaults.
type Process struct {
	Config         string        `env:"CONFIG"`
	HTTPAddr       string        `env:"HTTP_ADDR" envDefault:":21000"` // see [Process.HTTPAddrs]
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
	AccessLog      string        `env:"ACCESS_LOG"`
	NodeName       string        `env:"NODE_NAME"` // see [Process.Place]
	NodeZone       string        `env:"NODE_ZONE"`

	// variables are the resolved environment, with the flags.
	variables map[string]string
	// warnings are about variables that have no effect.
	warnings []Problem
}

// NewProcess returns the settings in an environment, and in flags, which take precedence
// and are named like the variables: RUN_DIR. The error has a line for each setting that is
// invalid, and names it as it was given.
func NewProcess(environment, flags map[string]string) (Process, error) {
	var p Process
	p.variables, p.warnings = Resolve(environment, processVariables()...)
	for variable, text := range flags {
		delete(p.variables, Prefix+variable)
		p.variables[variable] = text
	}
	if err := env.ParseWithOptions(&p, env.Options{Environment: p.variables}); err != nil {
		return p, p.explain(err)
	}
	return p, p.validate()
}

// processVariables returns the short names of the variables of [NewProcess].
func processVariables() []string {
	fields, _ := env.GetFieldParams(new(Process)) // it fails only for what is not a struct
	var names []string
	for _, field := range fields {
		names = append(names, field.Key)
	}
	return names
}

// HTTPAddrs returns the addresses of HTTP_ADDR, at least one.
func (p *Process) HTTPAddrs() []string {
	addrs := strings.Split(p.HTTPAddr, ",")
	for i, addr := range addrs {
		addrs[i] = strings.TrimSpace(addr)
	}
	return addrs
}

// AllHTTPAddrs returns also that of HTTP_DETAIL_ADDR, with the variable of each.
func (p *Process) AllHTTPAddrs() (addrs, variables []string) {
	addrs = p.HTTPAddrs()
	variables = slices.Repeat([]string{"HTTP_ADDR"}, len(addrs))
	if p.HTTPDetailAddr != "" {
		addrs, variables = append(addrs, p.HTTPDetailAddr), append(variables, "HTTP_DETAIL_ADDR")
	}
	return addrs, variables
}

// Load returns the configuration and its warnings: that of the file that is named, else of
// [DefaultFile] if it exists, else of the environment alone. It may be called again. The
// file is read through environment.ReadFile, which is required; environment.Lookup and
// RunDir are replaced. If the configuration is nil, the error is that of ReadFile or what
// is to be corrected.
func (p *Process) Load(environment Environment) (*Config, []Problem, error) {
	file := cmp.Or(p.Config, DefaultFile)
	environment.RunDir = p.RunDir
	data, err := environment.ReadFile(file)
	switch {
	case err == nil:
		return p.loadFile(file, data, environment)
	case !errors.Is(err, fs.ErrNotExist):
		return nil, nil, fmt.Errorf("read the configuration: %w", err)
	case p.Config != "":
		return nil, nil, fmt.Errorf("configuration file %s does not exist: name another with --config or CONFIG", file)
	}
	cfg, warnings, err := FromEnvironment(environment, p.variables)
	if err != nil {
		err = fmt.Errorf("there is no %s, so the environment describes one proxy:\n%w", file, err)
	}
	return cfg, slices.Concat(p.warnings, warnings), err
}

func (p *Process) loadFile(file string, data []byte, environment Environment) (*Config, []Problem, error) {
	others := maps.Clone(p.variables)
	environment.Lookup = func(name string) (string, bool) {
		delete(others, strings.TrimPrefix(name, Prefix)) // the file asks for it
		text, set := p.variables[name]
		return text, set
	}
	cfg, warnings, err := Load(file, data, environment)
	warnings = slices.Concat(p.warnings, warnings)
	if err != nil {
		return nil, warnings, err
	}
	if names := EnvironmentConflicts(others); len(names) > 0 {
		return nil, warnings, fmt.Errorf("%s and the environment (%s) both configure proxies: unset the variables, or write \"${%s}\" in the file instead", file, strings.Join(names, ", "), names[0])
	}
	return cfg, warnings, nil
}

// Executables returns the HAProxys of a configuration, each once. Without one, which is
// nil, that is the variable EXEC or its default.
func (p *Process) Executables(cfg *Config) []string {
	if cfg == nil {
		return []string{cmp.Or(p.variables["EXEC"], DefaultExec)}
	}
	var found []string
	for _, proxy := range cfg.Proxies {
		if !slices.Contains(found, proxy.Exec) {
			found = append(found, proxy.Exec)
		}
	}
	return found
}
