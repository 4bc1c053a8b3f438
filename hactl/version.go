package hactl

import (
	"fmt"
	"regexp"
	"strconv"
)

var versionLine = regexp.MustCompile(`^HA-?Proxy version (\d+)\.(\d+)(\S*)`)

// Version is a branch of HAProxy, such as 2.0.
type Version struct {
	Major, Minor int
	// Full is the version as HAProxy writes it: 2.6.12-1+deb12u4.
	Full string
}

// ParseVersion reads what `haproxy -v` prints, which begins with
// "HA-Proxy version 2.0.0 …" up to 2.2 and "HAProxy version 2.6.12 …" later.
func ParseVersion(output string) (Version, error) {
	m := versionLine.FindStringSubmatch(output)
	if m == nil {
		return Version{}, fmt.Errorf("%.80q is not the version line of HAProxy", output)
	}
	// The pattern lets only digits through; a number too long for an int is
	// no version either.
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

// since2 tells whether it is 2.minor or later.
func (v Version) since2(minor int) bool {
	return v.Major > 2 || v.Major == 2 && v.Minor >= minor
}

// Nbproc tells whether several processes can serve one configuration. HAProxy
// 2.5 removed the keyword: from there on threads do.
func (v Version) Nbproc() bool { return !v.since2(5) }

// idleClose tells whether `option idle-close-on-response` is known. Without it
// HAProxy 2.4 and later close idle client connections when they soft-stop, in a
// race with the request that may just be on its way.
func (v Version) idleClose() bool { return v.since2(4) }

// PinsConnections tells whether a keep-alive client stays on the connection to
// its old server after that server was retired. `option http-server-close`
// cures it, at the price of one server connection a request.
func (v Version) PinsConnections() bool { return !v.since2(2) }

// strictLimits tells whether HAProxy refuses to start when the limit of open
// files does not allow its maxconn; before it warned.
func (v Version) strictLimits() bool { return v.since2(3) }
