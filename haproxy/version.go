package haproxy

import (
	"fmt"
	"regexp"
	"strconv"
)

var versionLine = regexp.MustCompile(`^HA-?Proxy version (\d+)\.(\d+)(\S*)`)

var patchNumber = regexp.MustCompile(`^\d+\.\d+\.(\d+)`)

// Version is a branch of HAProxy, such as 2.0.
type Version struct {
	Major, Minor int
	// Full is the version as HAProxy writes it: 2.6.12-1+deb12u4.
	Full string
}

// ParseVersion parses the output of `haproxy -v`, which begins with "HA-Proxy version
// 2.0.0 …" up to 2.2 and "HAProxy version 2.6.12 …" later.
func ParseVersion(output string) (Version, error) {
	m := versionLine.FindStringSubmatch(output)
	if m == nil {
		return Version{}, fmt.Errorf("%.80q is not the version line of HAProxy", output)
	}
	// The pattern matches digits only, but the number may be too long for an int.
	major, err := strconv.Atoi(m[1])
	if err != nil {
		return Version{}, fmt.Errorf("parse version of HAProxy: %w", err)
	}
	minor, err := strconv.Atoi(m[2])
	if err != nil {
		return Version{}, fmt.Errorf("parse version of HAProxy: %w", err)
	}
	return Version{Major: major, Minor: minor, Full: m[1] + "." + m[2] + m[3]}, nil
}

func (v Version) String() string { return v.Full }

// patch returns the last number of a release, as in 3.0.11; -1 if there is none, as in
// 3.1-dev5.
func (v Version) patch() int {
	m := patchNumber.FindStringSubmatch(v.Full)
	if m == nil {
		return -1
	}
	n, err := strconv.Atoi(m[1])
	if err != nil {
		return -1
	}
	return n
}

// since reports whether it is major.minor or later.
func (v Version) since(major, minor int) bool {
	return v.Major > major || v.Major == major && v.Minor >= minor
}

// Capabilities returns what users notice of the version with haproxy-zk, as short texts in
// a fixed order.
func (v Version) Capabilities() []string {
	choose := func(is bool, yes, no string) string {
		if is {
			return yes
		}
		return no
	}
	all := []string{
		choose(v.Nbproc(), "workers are processes (`nbproc`), one per socket file", "workers are threads: `nbproc` becomes `nbthread`"),
		choose(v.PinsConnections(), "kept clients renew their connection after an instance has left; with `server_close` they get another server connection per request",
			"kept clients need no other connection after an instance has left"),
		choose(v.strictLimits(), "`no strict-limits` is added: a `maxconn` above the limit of open files does not keep it from starting",
			"a `maxconn` above the limit of open files does not keep it from starting"),
		choose(v.idleClose(), "`option idle-close-on-response` is added: a reload cuts no request of an idle client",
			"a reload cuts no request of an idle client"),
		choose(v.sendsChecks(), "headers of health checks are sent by `http-check send`", "headers of health checks are part of `option httpchk`"),
		choose(v.hashesAddresses(), "`hash-key addr-port` is added where servers are chosen by a hash: load balancers agree",
			"where servers are chosen by a hash, the slot follows from the address: load balancers agree on most keys"),
		choose(v.dynamicServersBroken() == "", "with `carry` servers or auto, an instance that comes or goes needs no slot and no reload",
			"`carry` is slots: more instances than slots need a reload"),
		choose(v.addsBackends(), "with `carry` backends or auto, a discovered group that comes or goes needs no reload",
			"discovered groups come and go by a reload"),
	}
	if v.balancesAtRandom() {
		all = append(all, "sections without `balance` choose servers at random; groups without it still take turns")
	}
	if v.rejectsSameNames() {
		all = append(all, "no frontend may have the name of a backend")
	}
	if v.warnsOfRoot() {
		all = append(all, "warns when started as root without `chroot` and `user`")
	}
	return all
}

// Nbproc reports whether several processes can serve one configuration. HAProxy 2.5
// removed the keyword in favor of threads.
func (v Version) Nbproc() bool { return !v.since(2, 5) }

// idleClose reports whether `option idle-close-on-response` exists. Without it HAProxy 2.4
// and later close idle client connections when they soft-stop, which may hit a request
// already on its way.
func (v Version) idleClose() bool { return v.since(2, 4) }

// namesDefaults reports whether a section may name the defaults that it inherits.
func (v Version) namesDefaults() bool { return v.since(2, 4) }

// forgetsChecks reports whether `option httpchk` in a backend drops inherited http-check
// rules.
func (v Version) forgetsChecks() bool { return v.since(2, 2) }

// sendsChecks reports whether `http-check send` sets the headers of health checks.
func (v Version) sendsChecks() bool { return v.since(2, 2) }

// PinsConnections reports whether a kept client uses its connection to a server again after
// that server got another address (see [Template.Renews]).
func (v Version) PinsConnections() bool { return !v.since(2, 2) }

// sharesOnlyPlain reports whether a server connection belongs to one client if the server
// has `sni` or `send-proxy`. Measured on 2.2.9, where it does, and on 2.6.12.
func (v Version) sharesOnlyPlain() bool { return !v.since(2, 4) }

// pinsPrivateConnections reports the same for a server connection that belongs to one
// client: before "fix reuse with set-dst/set-dst-port" of 2025-03-31. Measured on 2.2.9,
// 2.6.12 and 3.1.0, where it does, and on 3.0.11, 3.2.0 and later, where it does not.
func (v Version) pinsPrivateConnections() bool {
	switch {
	case v.since(3, 2):
		return false
	case v.since(3, 1):
		return v.patch() < 8
	case v.since(3, 0):
		return v.patch() < 11
	}
	return true
}

// strictLimits reports whether HAProxy refuses to start if the limit of open files is too
// low for its maxconn; earlier versions warn.
func (v Version) strictLimits() bool { return v.since(2, 3) }

// oldTimeouts reports whether clitimeout, contimeout and srvtimeout exist.
func (v Version) oldTimeouts() bool { return !v.since(2, 1) }

// hashesAddresses reports whether `hash-key` hashes over the addresses of servers instead
// of their positions.
func (v Version) hashesAddresses() bool { return v.since(3, 0) }

// warnsOfRemovals reports whether HAProxy warns of what 3.3 removed: frontends and backends
// of the same name, `program` sections, and mails sent without Lua.
func (v Version) warnsOfRemovals() bool { return v.since(3, 1) }

// rejectsSameNames reports whether HAProxy rejects a frontend and a backend of the same
// name. All versions reject other sections of the same name.
func (v Version) rejectsSameNames() bool { return v.since(3, 3) }

// mailsByLua reports whether HAProxy ignores `email-alert` unless a Lua script sends the
// mails.
func (v Version) mailsByLua() bool { return v.since(3, 3) }

// balancesAtRandom reports whether a section without `balance` chooses servers at random,
// instead of in turns.
func (v Version) balancesAtRandom() bool { return v.since(3, 3) }

// dynamicServersBroken returns why servers must not be added and deleted at run time; empty
// if they may.
func (v Version) dynamicServersBroken() string {
	if v.since(3, 0) {
		return ""
	}
	return "HAProxy before 3.0 may crash when a server is deleted, and a consistent hash may choose two of the added ones only"
}

// addsBackends reports whether backends can be added and deleted at run time.
func (v Version) addsBackends() bool { return v.since(3, 4) }

// StartsUnseen reports whether `haproxy -D` ends with success before HAProxy has read its
// configuration, and nobody reads its messages any more: it is killed by SIGPIPE if it
// has any. HAProxy 3.1.1 fixed that.
func (v Version) StartsUnseen() bool { return v.Major == 3 && v.Minor == 1 && v.patch() < 1 }

// warnsOfRoot reports whether HAProxy warns when started as root, unless the configuration
// says that it stays root.
func (v Version) warnsOfRoot() bool { return v.since(3, 4) }

// ChrootsAnyone reports whether `chroot` works without root, where the kernel allows user
// namespaces, and `chroot auto` makes a directory.
func (v Version) ChrootsAnyone() bool { return v.since(3, 4) }
