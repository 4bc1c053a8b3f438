package main

import (
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"

	"github.com/haproxy-zk/haproxy-zk/exitcode"
	"github.com/haproxy-zk/haproxy-zk/query"
)

// httpAddrs returns the addresses of HTTP_ADDR, at least one.
func (s *settings) httpAddrs() []string {
	addrs := strings.Split(s.HTTPAddr, ",")
	for i, addr := range addrs {
		addrs[i] = strings.TrimSpace(addr)
	}
	return addrs
}

// allHTTPAddrs returns also that of HTTP_DETAIL_ADDR, with the variable of each.
func (s *settings) allHTTPAddrs() (addrs, variables []string) {
	addrs = s.httpAddrs()
	variables = slices.Repeat([]string{"HTTP_ADDR"}, len(addrs))
	if s.HTTPDetailAddr != "" {
		addrs, variables = append(addrs, s.HTTPDetailAddr), append(variables, "HTTP_DETAIL_ADDR")
	}
	return addrs, variables
}

func (s *settings) httpFiles() query.AccessFiles {
	return query.AccessFiles{Token: s.HTTPTokenFile, Certificate: s.HTTPTLSCert, Key: s.HTTPTLSKey}
}

// client returns a client of the haproxy-zk that runs on this host.
func (s *settings) client() query.Client { return query.NewClient(s.httpAddrs()[0], s.httpFiles()) }

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

// validateHTTP returns what is wrong with the settings of the HTTP port, before a name is
// resolved or a file is read.
func (s *settings) validateHTTP(spell func(string) string) (problems []error) {
	addrs, variables := s.allHTTPAddrs()
	for i, addr := range addrs {
		if err := validateAddress(addr); err != nil {
			problems = append(problems, fmt.Errorf("%s: %q is not an address and a port: give one such as :21000 or 127.0.0.1:21000: %w", spell(variables[i]), addr, err))
			continue
		}
		if slices.Contains(addrs[:i], addr) && !strings.HasSuffix(addr, ":0") {
			problems = append(problems, fmt.Errorf("%s: %s is given twice", spell(variables[i]), addr))
		}
	}
	for _, file := range []struct{ name, path string }{{"HTTP_TOKEN_FILE", s.HTTPTokenFile}, {"HTTP_TLS_CERT", s.HTTPTLSCert}, {"HTTP_TLS_KEY", s.HTTPTLSKey}} {
		if file.path != "" && !filepath.IsAbs(file.path) {
			problems = append(problems, fmt.Errorf("%s: %q is not an absolute path", spell(file.name), file.path))
		}
	}
	if (s.HTTPTLSCert == "") != (s.HTTPTLSKey == "") {
		problems = append(problems, fmt.Errorf("%s and %s belong together: set both, or none", spell("HTTP_TLS_CERT"), spell("HTTP_TLS_KEY")))
	}
	return problems
}
