package config

// Config is what a file asks for.
type Config struct {
	// Proxies are in the file's order; there is at least one.
	Proxies []Proxy
}

// Environment is what a configuration depends on besides its file.
type Environment struct {
	// Lookup returns the value of an environment variable and whether it is
	// set, as os.LookupEnv does. It may be nil: then none is set.
	Lookup func(string) (string, bool)
	// RunDir is the absolute directory of the files that the configuration
	// does not name: conf_file, pid_file and socket_files.
	RunDir string
}

// Load parses data, the text of file, and returns the configuration and what
// is suspicious in it. The name of the file is only for messages; nothing is
// opened. If anything is wrong, the configuration is nil and the error is a
// *[Problems] with all there is to correct; the warnings are returned either
// way. Both are in the file's order.
func Load(file string, data []byte, env Environment) (*Config, []Problem, error) {
	if env.Lookup == nil {
		env.Lookup = func(string) (string, bool) { return "", false }
	}
	l := &loader{env: env, report: newReport(file, data)}
	cfg := l.load(data)
	warnings, problems := sorted(l.warnings), sorted(l.errors)
	if len(problems) > 0 {
		return nil, warnings, &problems
	}
	return cfg, warnings, nil
}

// loader is one run of Load.
type loader struct {
	*report

	env    Environment
	claims []claim
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
		if p, ok := l.proxy(m.name, m.value); ok {
			cfg.Proxies = append(cfg.Proxies, p)
		}
	}
	l.settle()
	return cfg
}
