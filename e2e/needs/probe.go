package needs

import (
	"bytes"
	"fmt"
	"net"
	"os/exec"
	"syscall"
)

func namespaces() Need {
	return Need{"CAP_SYS_ADMIN", func() error {
		// In a separate mount namespace, which ends with the command.
		cmd := exec.Command("/bin/sh", "-c", "mount --make-rprivate / && mount -t proc proc /proc && mount -t tmpfs tmpfs /tmp")
		cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWPID | syscall.CLONE_NEWNS}
		if output, err := cmd.CombinedOutput(); err != nil {
			return fmt.Errorf("cannot mount in new namespaces: %w %s", err, bytes.TrimSpace(output))
		}
		return nil
	}}
}

func ipv6() Need {
	return Need{"::1", func() error {
		l, err := net.Listen("tcp", "[::1]:0")
		if err != nil {
			return err
		}
		return l.Close()
	}}
}
