package config

import (
	"errors"
	"fmt"
	"net"
	"path/filepath"
	"slices"
	"strings"

	"github.com/caarlos0/env/v11"

	"github.com/haproxy-zk/haproxy-zk/accesslog"
)

// explain says in the words of the environment what could not be read of it.
func (p *Process) explain(err error) error {
	all, isAggregate := errors.AsType[env.AggregateError](err)
	if !isAggregate {
		return err
	}
	var problems []error
	for _, problem := range all.Errors {
		parsing, _ := errors.AsType[env.ParseError](problem)
		switch parsing.Name { // the field's
		case "StartWait":
			problem = fmt.Errorf("%s: %q is not a duration: give one such as 5s", p.spell("START_WAIT"), p.variables["START_WAIT"])
		case "LogLevel":
			problem = fmt.Errorf("%s: %q is not a level: give debug, info, warn or error", p.spell("LOG_LEVEL"), p.variables["LOG_LEVEL"])
		}
		problems = append(problems, problem)
	}
	return errors.Join(problems...)
}

// spell returns the name under which a variable is set.
func (p *Process) spell(name string) string { return Spell(name, p.variables) }

// validate returns everything that is wrong with the settings, each with its variable.
func (p *Process) validate() error {
	var problems []error
	switch p.LogFormat {
	case "", "text", "json":
	default:
		problems = append(problems, fmt.Errorf("%s: %q is not a format: give text or json", p.spell("LOG_FORMAT"), p.LogFormat))
	}
	problems = append(problems, p.validateHTTP()...)
	problems = append(problems, p.validatePlace()...)
	if p.LogListen != "" {
		if err := validateAddress(p.LogListen); err != nil {
			problems = append(problems, fmt.Errorf("%s: %q is not an address and a port: give one such as 127.0.0.1:514: %w", p.spell("LOG_LISTEN"), p.LogListen, err))
		}
	}
	if p.AccessLog != "" && p.AccessLog != accesslog.Off && p.AccessLog != accesslog.Stdout && !filepath.IsAbs(p.AccessLog) {
		problems = append(problems, fmt.Errorf("%s: %q is not an absolute path: give one, off or stdout", p.spell("ACCESS_LOG"), p.AccessLog))
	}
	if p.StartWait < 0 {
		problems = append(problems, fmt.Errorf("%s: %q is negative: give 0s or more", p.spell("START_WAIT"), p.StartWait))
	}
	for _, dir := range []struct{ name, path string }{{"RUN_DIR", p.RunDir}, {"STATE_DIR", p.StateDir}} {
		if !filepath.IsAbs(dir.path) {
			problems = append(problems, fmt.Errorf("%s: %q is not an absolute path", p.spell(dir.name), dir.path))
		}
	}
	return errors.Join(problems...)
}

// validateHTTP returns what is wrong with the settings of the HTTP port, before a name is
// resolved or a file is read.
func (p *Process) validateHTTP() (problems []error) {
	addrs, variables := p.AllHTTPAddrs()
	for i, addr := range addrs {
		if err := validateAddress(addr); err != nil {
			problems = append(problems, fmt.Errorf("%s: %q is not an address and a port: give one such as :21000 or 127.0.0.1:21000: %w", p.spell(variables[i]), addr, err))
			continue
		}
		if slices.Contains(addrs[:i], addr) && !strings.HasSuffix(addr, ":0") {
			problems = append(problems, fmt.Errorf("%s: %s is given twice", p.spell(variables[i]), addr))
		}
	}
	for _, file := range []struct{ name, path string }{{"HTTP_TOKEN_FILE", p.HTTPTokenFile}, {"HTTP_TLS_CERT", p.HTTPTLSCert}, {"HTTP_TLS_KEY", p.HTTPTLSKey}} {
		if file.path != "" && !filepath.IsAbs(file.path) {
			problems = append(problems, fmt.Errorf("%s: %q is not an absolute path", p.spell(file.name), file.path))
		}
	}
	if (p.HTTPTLSCert == "") != (p.HTTPTLSKey == "") {
		problems = append(problems, fmt.Errorf("%s and %s belong together: set both, or none", p.spell("HTTP_TLS_CERT"), p.spell("HTTP_TLS_KEY")))
	}
	return problems
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
