//go:build release

package host

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/haproxy-zk/haproxy-zk/e2e/rig"
)

const (
	unit     = "haproxy-zk.service"
	defaults = "/etc/default/haproxy-zk"
	listener = 80
	api      = 21000
)

// host is a container whose process 1 is systemd, with its own ZooKeeper path.
type host struct {
	*rig.Container
	t    *testing.T
	path string
}

// boot starts a host. systemd needs to mount; capabilities that the engine itself lacks
// are omitted.
func boot(t *testing.T) *host {
	t.Helper()
	c, err := rig.StartContainer(t.Context(), rig.ContainerOptions{Image: hostImage, Networks: []string{shared.network}, Flags: []string{
		"--cgroupns", "private", "--cap-add", "ALL", "--cap-drop", "SYS_RESOURCE",
		"--security-opt", "seccomp=unconfined", "--security-opt", "apparmor=unconfined",
		"--tmpfs", "/run", "--tmpfs", "/run/lock", "--tmpfs", "/tmp",
		"--volume", shared.newer + ".deb:/new.deb:ro", "--volume", shared.older + ".deb:/older.deb:ro",
		"--volume", shared.newer + ".rpm:/new.rpm:ro", "--volume", shared.older + ".rpm:/older.rpm:ro",
		"--publish", fmt.Sprintf("127.0.0.1::%d", listener), "--publish", fmt.Sprintf("127.0.0.1::%d", api),
	}})
	if err != nil {
		t.Fatal(err)
	}
	h := &host{Container: c, t: t, path: "/" + rig.UniqueName("path")}
	t.Cleanup(func() {
		if t.Failed() {
			said, _ := rig.DockerOutput(context.Background(), "exec", c.ID, "journalctl", "--unit", unit, "--no-pager", "--output", "short-precise", "--lines", "60")
			t.Logf("the journal:\n%s\nthe host:\n%s", said, c.Logs())
		}
		if err := c.Remove(); err != nil {
			t.Error(err)
		}
	})
	h.booted()
	return h
}

// booted waits until systemd reports that everything is running.
func (h *host) booted() {
	h.t.Helper()
	h.eventually("systemd has booted", func() error {
		_, err := h.try("systemctl", "is-system-running")
		return err
	})
}

// reboot shuts down in order, and boots.
func (h *host) reboot() {
	h.t.Helper()
	if _, err := rig.Docker(h.t.Context(), "restart", "--time", "50", h.ID); err != nil {
		h.t.Fatal(err)
	}
	h.booted()
}

// installed returns a host with the package and settings.
func installed(t *testing.T) *host {
	t.Helper()
	h := boot(t)
	h.run("dpkg", "--install", "/new.deb")
	h.settle()
	return h
}

// settle writes settings that serve the groups of the host's path on port 80.
func (h *host) settle() {
	h.t.Helper()
	h.configure("ZK_ADDR=zookeeper:2181", "ZK_PATH="+h.path+"/${group}/instances", fmt.Sprintf("LISTENER_PORT=%d", listener))
}

// configure appends settings.
func (h *host) configure(settings ...string) {
	h.t.Helper()
	pid, err := h.PID()
	if err != nil {
		h.t.Fatal(err)
	}
	f, err := os.OpenFile(fmt.Sprintf("/proc/%d/root%s", pid, defaults), os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		h.t.Fatal(err)
	}
	defer f.Close()
	if _, err := f.WriteString(strings.Join(settings, "\n") + "\n"); err != nil {
		h.t.Fatal(err)
	}
}

// write writes a file on the host, creating its directory.
func (h *host) write(path, text string) {
	h.t.Helper()
	pid, err := h.PID()
	if err != nil {
		h.t.Fatal(err)
	}
	path = fmt.Sprintf("/proc/%d/root%s", pid, path)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		h.t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		h.t.Fatal(err)
	}
}

// dropIn adds lines to the unit's section [Service].
func (h *host) dropIn(lines ...string) {
	h.t.Helper()
	h.write("/etc/systemd/system/"+unit+".d/test.conf", "[Service]\n"+strings.Join(lines, "\n")+"\n")
	h.run("systemctl", "daemon-reload")
}

// try runs a command on the host to its end.
func (h *host) try(command ...string) (string, error) {
	return rig.Docker(h.t.Context(), append([]string{"exec", h.ID}, command...)...)
}

func (h *host) run(command ...string) string {
	h.t.Helper()
	said, err := h.try(command...)
	if err != nil {
		h.t.Fatal(err)
	}
	return said
}

// refused runs a command that must fail.
func (h *host) refused(command ...string) {
	h.t.Helper()
	if said, err := h.try(command...); err == nil {
		h.t.Errorf("%v succeeds: %s", command, said)
	}
}

func (h *host) absent(paths ...string) {
	h.t.Helper()
	for _, path := range paths {
		h.refused("ls", "-d", path)
	}
}

func (h *host) eventually(what string, check func() error) {
	h.t.Helper()
	if err := rig.Eventually(h.t.Context(), within, check); err != nil {
		h.t.Fatalf("%s: %v", what, err)
	}
}
