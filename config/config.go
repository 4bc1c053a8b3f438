package config

import "errors"

// Config is what a file or the environment asks for.
type Config struct {
	// Proxies are in the file's order; there is at least one, and of the
	// environment exactly one.
	Proxies []Proxy
	// SecretVariables are the environment's variables that secrets of a file
	// were made of: nobody else is to get them.
	SecretVariables []string
}

// Environment is what a configuration depends on besides its file.
type Environment struct {
	// Lookup returns the value of an environment variable and whether it is
	// set, as os.LookupEnv does. It may be nil: then none is set.
	Lookup func(string) (string, bool)
	// RunDir is the absolute directory of the files that the configuration
	// does not name: conf_file, pid_file and socket_files.
	RunDir string
	// ReadFile returns what a file of a secret, a certificate or a key holds, as
	// os.ReadFile does. It may be nil: then no file can be read.
	ReadFile func(string) ([]byte, error)
}

// complete puts functions in the place of those that are nil.
func (e *Environment) complete() {
	if e.Lookup == nil {
		e.Lookup = func(string) (string, bool) { return "", false }
	}
	if e.ReadFile == nil {
		e.ReadFile = func(string) ([]byte, error) { return nil, errors.ErrUnsupported }
	}
}

// Load parses data, the text of file, and returns the configuration and what
// is suspicious in it. The name of the file is only for messages; it is
// not opened. If anything is wrong, the configuration is nil and the error is a
// *[Problems] with all there is to correct; the warnings are returned either
// way. Both are in the file's order.
func Load(file string, data []byte, env Environment) (*Config, []Problem, error) {
	env.complete()
	l := &loader{env: env, report: newReport(file, data)}
	return l.result(l.load(data))
}

// loader is one run of Load or FromEnvironment.
type loader struct {
	*report

	env    Environment
	claims []claim
	// secrets are the variables that went into secrets.
	secrets []string
	// variables are the names under which the environment knows the keys; nil
	// for a file.
	variables map[string]string
}

// result is what Load and FromEnvironment return.
func (l *loader) result(cfg *Config) (*Config, []Problem, error) {
	warnings, problems := sorted(l.warnings), sorted(l.errors)
	if len(problems) > 0 {
		return nil, warnings, &problems
	}
	return cfg, warnings, nil
}

func (l *loader) load(data []byte) *Config {
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
			cfg.Proxies = append(cfg.Proxies, o.proxy(m.name))
		}
	}
	l.settle()
	cfg.SecretVariables = l.secrets
	return cfg
}

func (l *loader) lookupSecret(name string) (string, bool) {
	l.secrets = append(l.secrets, name)
	return l.env.Lookup(name)
}
