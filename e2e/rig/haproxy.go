package rig

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

// The first line of `haproxy -v`, "HA-Proxy" up to 2.2 and "HAProxy" later.
var haproxyVersion = regexp.MustCompile(`^HA-?Proxy version ((\d+)\.(\d+)(?:\.\d+)?)`)

// HAProxy is an installed HAProxy.
type HAProxy struct {
	Path         string // absolute
	Name         string // its version, such as 2.6.12
	Major, Minor int
	// Nbproc is true if several workers are several processes (below 2.5), not threads.
	Nbproc bool
	// Workers is how many socket files a test should configure; 0 leaves that to the
	// test.
	Workers int
}

func (h HAProxy) String() string { return h.Name }

// HAProxies returns the HAProxy binaries to test with, in a fixed order.
// HAPROXY_BINARIES lists them, separated by commas. By default they are the installed
// one and those that `make setup` has put under bin/, each version once. It is an error
// if there is none from 2.0 on, or one does not run.
func HAProxies() ([]HAProxy, error) {
	if named := os.Getenv("HAPROXY_BINARIES"); named != "" {
		return namedHAProxies(named)
	}
	paths, err := usualHAProxies()
	if err != nil {
		return nil, err
	}
	var found []HAProxy
	for _, path := range paths {
		h, err := inspect(path)
		if err != nil {
			return nil, fmt.Errorf("%w (run `make setup`)", err)
		}
		known := slices.ContainsFunc(found, func(f HAProxy) bool { return f.Major == h.Major && f.Minor == h.Minor })
		if h.Major >= 2 && !known {
			found = append(found, h)
		}
	}
	if len(found) == 0 {
		return nil, errors.New("no HAProxy from 2.0 on: run `make setup`, or name binaries in HAPROXY_BINARIES")
	}
	return found, nil
}

func namedHAProxies(list string) ([]HAProxy, error) {
	var found []HAProxy
	for path := range strings.SplitSeq(list, ",") {
		if path = strings.TrimSpace(path); path == "" {
			continue
		}
		h, err := inspect(path)
		if err != nil {
			return nil, fmt.Errorf("HAPROXY_BINARIES: %w", err)
		}
		found = append(found, h)
	}
	if len(found) == 0 {
		return nil, errors.New("HAPROXY_BINARIES names no binary")
	}
	return found, nil
}

func usualHAProxies() ([]string, error) {
	root, err := moduleRoot()
	if err != nil {
		return nil, err
	}
	unpacked, err := filepath.Glob(filepath.Join(root, "bin", "haproxy-*", "haproxy"))
	if err != nil {
		return nil, err
	}
	installed, err := exec.LookPath("haproxy")
	if err != nil {
		installed = "/usr/sbin/haproxy" // not on the PATH of ordinary users
	}
	if _, err := os.Stat(installed); err != nil {
		return unpacked, nil
	}
	return append([]string{installed}, unpacked...), nil
}

func inspect(path string) (HAProxy, error) {
	path, err := filepath.Abs(path)
	if err != nil {
		return HAProxy{}, err
	}
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	output, err := exec.CommandContext(ctx, path, "-v").CombinedOutput()
	if err != nil {
		return HAProxy{}, fmt.Errorf("run %s -v: %w: %s", path, err, output)
	}
	return ParseHAProxy(path, string(output))
}

// ParseHAProxy parses the output of -v of the binary at path.
func ParseHAProxy(path, output string) (HAProxy, error) {
	match := haproxyVersion.FindStringSubmatch(output)
	if match == nil {
		return HAProxy{}, fmt.Errorf("%s -v prints no version: %s", path, output)
	}
	h := HAProxy{Path: path, Name: match[1]}
	h.Major, _ = strconv.Atoi(match[2]) // the pattern ensures digits
	h.Minor, _ = strconv.Atoi(match[3])
	h.Nbproc = h.Major < 2 || h.Major == 2 && h.Minor < 5
	return h, nil
}
