package rig

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
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
	// Nbproc: several workers are several processes (below 2.5), not threads.
	Nbproc bool
	// Workers is how many socket files a test is to configure; 0 is what it likes.
	Workers int
}

func (h HAProxy) String() string { return h.Name }

// HAProxies returns the HAProxy binaries that tests run on, in a fixed order.
// HAPROXY_BINARIES names them, separated by commas. Where it is not set they are
// the installed one and the one under bin/haproxy-2.2, and among them must be
// one with nbproc and one without: a missing one is an error, never a gap.
func HAProxies() ([]HAProxy, error) {
	if named := os.Getenv("HAPROXY_BINARIES"); named != "" {
		return namedHAProxies(named)
	}
	found, nbproc, threads := []HAProxy(nil), false, false
	paths, err := usualHAProxies()
	if err != nil {
		return nil, err
	}
	for _, path := range paths {
		h, err := inspect(path)
		if err != nil {
			return nil, err
		}
		found = append(found, h)
		nbproc = nbproc || h.Nbproc
		threads = threads || !h.Nbproc
	}
	const remedy = "run `make setup`, or name binaries in HAPROXY_BINARIES"
	if !nbproc {
		return nil, errors.New("no HAProxy below 2.5, which has nbproc: " + remedy)
	}
	if !threads {
		return nil, errors.New("no HAProxy from 2.5 on: " + remedy)
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
	installed, err := exec.LookPath("haproxy")
	if err != nil {
		installed = "/usr/sbin/haproxy" // not on the PATH of ordinary users
	}
	var paths []string
	for _, path := range []string{installed, filepath.Join(root, "bin", "haproxy-2.2", "haproxy")} {
		if _, err := os.Stat(path); err == nil {
			paths = append(paths, path)
		}
	}
	return paths, nil
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

// ParseHAProxy reads what the binary at path printed for -v.
func ParseHAProxy(path, output string) (HAProxy, error) {
	match := haproxyVersion.FindStringSubmatch(output)
	if match == nil {
		return HAProxy{}, fmt.Errorf("%s -v tells no version: %s", path, output)
	}
	h := HAProxy{Path: path, Name: match[1]}
	h.Major, _ = strconv.Atoi(match[2]) // digits by the pattern
	h.Minor, _ = strconv.Atoi(match[3])
	h.Nbproc = h.Major < 2 || h.Major == 2 && h.Minor < 5
	return h, nil
}
