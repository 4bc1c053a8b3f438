package needs

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"syscall"
	"time"
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

func fuse() Need {
	return Need{"/dev/fuse", func() error {
		f, err := os.OpenFile("/dev/fuse", os.O_RDWR, 0)
		if err != nil {
			return err
		}
		return f.Close()
	}}
}

func kazoo() Need {
	return Need{"python3-kazoo", func() error {
		if output, err := exec.Command("/usr/bin/python3", "-c", "import kazoo.client").CombinedOutput(); err != nil {
			return fmt.Errorf("%w: %s", err, bytes.TrimSpace(output))
		}
		return nil
	}}
}

func curator() Need {
	return Need{"libcurator-discovery-java and a JDK", func() error {
		_, err := exec.LookPath("javac")
		if err == nil {
			_, err = os.Stat("/usr/share/java/curator-x-discovery.jar")
		}
		return err
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

func networks() Need {
	return Need{"CAP_NET_ADMIN", func() error {
		// In a separate network, which ends with the command.
		cmd := exec.Command("/bin/sh", "-c", "ip link add veth1 type veth peer name veth2 && ip link add bridge1 type bridge && ip link set veth1 master bridge1")
		cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNET}
		if output, err := cmd.CombinedOutput(); err != nil {
			return fmt.Errorf("cannot link new network namespaces: %w %s", err, bytes.TrimSpace(output))
		}
		return nil
	}}
}

// engineWithin is how long a Docker engine may take to answer.
const engineWithin = 20 * time.Second

func swarm() Need {
	return Need{"a Docker engine outside of any swarm", func() error {
		ctx, cancel := context.WithTimeout(context.Background(), engineWithin)
		defer cancel()
		output, err := exec.CommandContext(ctx, "docker", "info", "--format", "{{.Swarm.LocalNodeState}}").CombinedOutput()
		state := string(bytes.TrimSpace(output))
		switch {
		case err != nil:
			return fmt.Errorf("%w: %s", err, state)
		case state != "inactive":
			return fmt.Errorf("its swarm is %s", state)
		}
		return nil
	}}
}
