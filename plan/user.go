package plan

import (
	"os"
	"os/user"
	"strconv"

	"golang.org/x/sys/unix"
)

// StaysRoot reports whether HAProxy is started as root and can chroot. With the built-in
// template, it then runs as root.
func StaysRoot() bool {
	if os.Geteuid() != 0 {
		return false
	}
	header, data := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}, [2]unix.CapUserData{}
	return unix.Capget(&header, &data[0]) == nil && data[0].Effective&(1<<unix.CAP_SYS_CHROOT) != 0
}

// WorkerUID returns the user that HAProxy's workers switch to; 0 means that they keep
// theirs, as they always do unless started by root. An unknown user is left for HAProxy
// to reject.
func (pl *Plan) WorkerUID() int {
	if os.Geteuid() != 0 {
		return 0
	}
	name, number := pl.Parsed.User()
	if name != "" {
		if found, err := user.Lookup(name); err == nil {
			number = found.Uid
		}
	}
	uid, err := strconv.ParseUint(number, 10, 31)
	if err != nil {
		return 0
	}
	return int(uid)
}
