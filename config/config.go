package config

import (
	"errors"
)

// Config is the content of a file or the environment.
type Config struct {
	// Proxies are in the file's order. There is at least one, and exactly one from the
	// environment.
	Proxies []Proxy
	// Variables are the variables that stand for keys, by key; nil for a file.
	Variables map[string]string
}

// Environment is the input of a configuration besides its file.
type Environment struct {
	// Lookup returns the value of an environment variable and whether it is
	// set, as os.LookupEnv does. It may be nil: then none is set.
	Lookup func(string) (string, bool)
	// RunDir is the absolute directory of the files for which the configuration has no
	// path: conf_file, pid_file and socket_files.
	RunDir string
	// ReadFile returns the content of a file of a secret, a certificate, a key or lines, as
	// os.ReadFile does. It may be nil: then no file can be read.
	ReadFile func(string) ([]byte, error)
	// CheckLine returns why a line of HAProxy's configuration cannot be one of a group's
	// own, with the remedy. It may be nil: then every line is valid.
	CheckLine func(Group, string) error
	// Forget is called with each variable that a secret of the file uses, and with both
	// names of each variable that always holds a secret: HAProxy must not inherit them. It
	// may be nil.
	Forget func(variable string)
}

// complete replaces nil functions.
func (e *Environment) complete() {
	if e.Lookup == nil {
		e.Lookup = func(string) (string, bool) { return "", false }
	}
	if e.ReadFile == nil {
		e.ReadFile = func(string) ([]byte, error) { return nil, errors.ErrUnsupported }
	}
	if e.CheckLine == nil {
		e.CheckLine = func(Group, string) error { return nil }
	}
	if e.Forget == nil {
		e.Forget = func(string) {}
	}
}

// Load parses data, the text of file, and returns the configuration and warnings. The name
// of the file is used in messages only; it is not opened. If anything is wrong, the
// configuration is nil and the error is a *[Problems] with everything to be corrected; the
// warnings are returned in any case. Both are in the file's order.
func Load(file string, data []byte, env Environment) (*Config, []Problem, error) {
	env.complete()
	l := &loader{env: env, report: newReport(file, data)}
	return l.result(l.parseProxies(data))
}

// loader is one run of Load or FromEnvironment.
type loader struct {
	*report

	env    Environment
	claims []claim
	// secrets are the variables used in secrets.
	secrets []string
	// variables are the environment's names of the keys; nil for a file.
	variables map[string]string
}

// result returns the results of Load and FromEnvironment.
func (l *loader) result(cfg *Config) (*Config, []Problem, error) {
	for _, variable := range append(l.secrets, environmentSecrets()...) {
		l.env.Forget(variable)
	}
	warnings, problems := sorted(l.warnings), sorted(l.errors)
	if len(problems) > 0 {
		return nil, warnings, &problems
	}
	return cfg, warnings, nil
}

func (l *loader) parseProxies(data []byte) *Config {
	if at, err := checkSyntax(data); err != nil {
		l.errorf(at, "", "%v", err)
		return nil
	}
	root, err := parse(data)
	if err != nil {
		l.errorf(root.at, "", "not valid JSON: %v", err)
		return nil
	}
	proxies, ok := l.object(value{node: root}, "an object whose keys are the names of the proxies")
	if !ok {
		return nil
	}
	if len(proxies.members) == 0 {
		l.errorf(root.at, "", "there is no proxy: write at least one, as in {\"web\": {\"zk.addr\": ..., \"groups\": ...}}")
	}
	cfg := new(Config)
	for _, m := range proxies.members {
		if err := checkProxyName(m.name); err != nil {
			l.errorf(m.value.at, m.value.key, "%v", err)
		}
		if o, ok := l.object(m.value, "an object with the keys of a proxy"); ok {
			cfg.Proxies = append(cfg.Proxies, o.readProxy(m.name))
		}
	}
	l.settle()
	return cfg
}

func (l *loader) lookupSecret(name string) (string, bool) {
	l.secrets = append(l.secrets, name)
	return l.env.Lookup(name)
}
