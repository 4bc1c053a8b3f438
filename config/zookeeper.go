package config

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// ZooKeeper describes the servers where the instances are registered.
type ZooKeeper struct {
	// Servers are host:port, at least one; IPv6 is in brackets.
	Servers []string
	// Chroot is the prefix of every path on these servers: empty, or absolute without a
	// trailing slash.
	Chroot string
	// Auth is "USER:PASSWORD" of ZooKeeper's digest scheme; empty means none.
	Auth Secret
	// SASL is "USER:PASSWORD" of SASL with DIGEST-MD5; empty means none.
	SASL Secret
	// TLS configures TLS; nil means no TLS.
	TLS *TLS
}

var errNoDigest = errors.New("the secret has the wrong form")

var (
	hostName = regexp.MustCompile(`^[A-Za-z0-9_]([A-Za-z0-9_.-]*[A-Za-z0-9_.])?$`)
	// An invalid IPv4 address must not be taken for a name.
	digitsAndDots = regexp.MustCompile(`^[0-9.]+$`)
)

func zkAddr() form[ZooKeeper] {
	return form[ZooKeeper]{
		give:  "host:port, or several separated by commas, then optionally a /chroot",
		parse: parseZooKeeper,
	}
}

func parseZooKeeper(text string) (ZooKeeper, error) {
	servers, chroot, _ := strings.Cut(text, "/")
	var (
		zk    ZooKeeper
		wrong []string
	)
	for server := range strings.SplitSeq(servers, ",") {
		server = strings.TrimSpace(server)
		if !isHostPort(server, 1) {
			wrong = append(wrong, strconv.Quote(server))
		}
		zk.Servers = append(zk.Servers, server)
	}
	if len(wrong) > 0 {
		return ZooKeeper{}, fmt.Errorf("%s is not host:port with a port from 1 to 65535", strings.Join(wrong, ", "))
	}
	chroot = strings.TrimSpace(chroot)
	if chroot == "" {
		return zk, nil
	}
	zk.Chroot = "/" + chroot
	if strings.ContainsAny(chroot, ", ") {
		return ZooKeeper{}, fmt.Errorf("%q is not one chroot", zk.Chroot)
	}
	if _, err := parseZKPath(zk.Chroot); err != nil {
		return ZooKeeper{}, fmt.Errorf("as the chroot, %w", err)
	}
	return zk, nil
}

func zkAuth() form[Secret] {
	f := secretForm()
	short := f.parse
	f.give = "digest:USER:PASSWORD, " + f.give
	f.parse = func(text string) (Secret, error) {
		credentials, isDigest := strings.CutPrefix(text, "digest:")
		user, password, _ := strings.Cut(credentials, ":")
		if !isDigest || user == "" || password == "" {
			return "", errNoDigest
		}
		return short(credentials)
	}
	return f
}

var errNoSASL = errors.New("the secret has the wrong form")

func zkSASL() form[Secret] {
	f := secretForm()
	short := f.parse
	f.give = "USER:PASSWORD, " + f.give
	f.parse = func(text string) (Secret, error) {
		if user, password, _ := strings.Cut(text, ":"); user == "" || password == "" {
			return "", errNoSASL
		}
		return short(text)
	}
	return f
}

// zkPath is the path of a group's instances, or a pattern for the paths of many groups.
func zkPath() form[string] {
	return form[string]{
		give:  "an absolute path without a slash at its end, as in " + defaultZKPath,
		ours:  []string{"group", "app"},
		parse: parseZKPath,
	}
}

// parseZKPath applies the rules of ZooKeeper for which its server only answers "bad
// arguments".
func parseZKPath(path string) (string, error) {
	elements := strings.Split(path, "/")
	switch {
	case elements[0] != "":
		return "", fmt.Errorf("%q does not begin with a slash", path)
	case strings.HasSuffix(path, "/"):
		return "", fmt.Errorf("%q ends with a slash", path)
	case slices.Contains(elements[1:], ""):
		return "", fmt.Errorf("%q has two slashes in a row", path)
	case slices.Contains(elements, ".") || slices.Contains(elements, ".."):
		return "", fmt.Errorf("%q has an element . or .., which ZooKeeper refuses", path)
	}
	return path, nil
}

// namesGroup reports whether a pattern gives each group its own path.
func namesGroup(path string) bool {
	return strings.Contains(path, "${group}") || strings.Contains(path, "${app}")
}

// isHostPort reports whether text is a name or an address with a port of at least lowest.
func isHostPort(text string, lowest uint64) bool {
	host, number, err := net.SplitHostPort(text)
	if err != nil {
		return false
	}
	if n, err := strconv.ParseUint(number, 10, 16); err != nil || n < lowest {
		return false
	}
	if isAddress(host) {
		return true
	}
	return hostName.MatchString(host) && !digitsAndDots.MatchString(host)
}

func isAddress(host string) bool {
	_, err := netip.ParseAddr(host)
	return err == nil
}
