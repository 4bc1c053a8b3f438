package main

import (
	"cmp"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"

	"github.com/caarlos0/env/v11"
	"github.com/spf13/cobra"

	"github.com/haproxy-zk/haproxy-zk/config"
	"github.com/haproxy-zk/haproxy-zk/exitcode"
)

// explainVariables says in the words of the environment what could not be read of it.
func explainVariables(err error, environment map[string]string) error {
	all, isAggregate := errors.AsType[env.AggregateError](err)
	if !isAggregate {
		return err
	}
	var problems []error
	for _, problem := range all.Errors {
		parsing, _ := errors.AsType[env.ParseError](problem)
		switch parsing.Name { // the field's
		case "StartWait":
			problem = fmt.Errorf("%s: %q is not a duration: give one such as 5s", config.Spell("START_WAIT", environment), environment["START_WAIT"])
		case "LogLevel":
			problem = fmt.Errorf("%s: %q is not a level: give debug, info, warn or error", config.Spell("LOG_LEVEL", environment), environment["LOG_LEVEL"])
		}
		problems = append(problems, problem)
	}
	return errors.Join(problems...)
}

// validate returns everything that is wrong with the settings, each with its variable.
func (s *settings) validate() error {
	var problems []error
	spell := func(name string) string { return config.Spell(name, s.environment) }
	switch s.LogFormat {
	case "", "text", "json":
	default:
		problems = append(problems, fmt.Errorf("%s: %q is not a format: give text or json", spell("LOG_FORMAT"), s.LogFormat))
	}
	problems = append(problems, s.validateHTTP(spell)...)
	if s.LogListen != "" {
		if err := validateAddress(s.LogListen); err != nil {
			problems = append(problems, fmt.Errorf("%s: %q is not an address and a port: give one such as 127.0.0.1:514: %w", spell("LOG_LISTEN"), s.LogListen, err))
		}
	}
	if s.StartWait < 0 {
		problems = append(problems, fmt.Errorf("%s: %q is negative: give 0s or more", spell("START_WAIT"), s.StartWait))
	}
	for _, dir := range []struct{ name, path string }{{"RUN_DIR", s.RunDir}, {"STATE_DIR", s.StateDir}} {
		if !filepath.IsAbs(dir.path) {
			problems = append(problems, fmt.Errorf("%s: %q is not an absolute path", spell(dir.name), dir.path))
		}
	}
	return errors.Join(problems...)
}

// validateAddress finds what is wrong with an address to listen on before a name in it
// is resolved.
func validateAddress(addr string) error {
	_, port, err := net.SplitHostPort(addr)
	if err != nil {
		return err
	}
	if _, err := net.LookupPort("tcp", port); port == "" || err != nil {
		return fmt.Errorf("the port %q is no number from 0 to 65535", port)
	}
	return nil
}

// runDir is RUN_DIR, also where the settings could not be read.
func runDir(root *cobra.Command) string {
	return cmp.Or(root.PersistentFlags().Lookup("run-dir").Value.String(), os.Getenv(config.Prefix+"RUN_DIR"), os.Getenv("RUN_DIR"), "/run/haproxy-zk")
}

// reader reads the files of the configuration, and remembers one that may be read the
// next time.
type reader struct{ failed error }

func (r *reader) file(path string) ([]byte, error) {
	data, err := os.ReadFile(path)
	if err != nil && exitcode.Of(exitcode.Classify(err)) != exitcode.Usage {
		r.failed = err
	}
	return data, err
}

// judge makes what is wrong with the configuration the user's to fix, unless a file
// could not be read because a resource was exhausted.
func (r *reader) judge(err error) error {
	if r.failed != nil {
		return err
	}
	return exitcode.NewUsageError(err)
}
