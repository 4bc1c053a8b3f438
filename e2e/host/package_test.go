//go:build release

package host

import (
	"syscall"
	"testing"
)

// An installation starts nothing, and a start without a configuration reports what is
// missing, once.
func TestInstallation(t *testing.T) {
	t.Parallel()
	h := boot(t)
	h.run("dpkg", "--install", "/new.deb")
	h.run("id", "haproxy-zk")
	if enabled, _ := h.try("systemctl", "show", "--value", "--property", "UnitFileState", unit); enabled != "disabled" {
		t.Errorf("the unit is %s", enabled)
	}
	h.becomes("ActiveState", "inactive", "LoadState", "loaded")

	h.refused("systemctl", "start", unit)
	h.becomes("ActiveState", "failed", "Result", "exit-code", "ExecMainStatus", "2", "NRestarts", "0")
	h.logs("ZK_ADDR: the variable is missing")
	h.nothingRuns()
}

// An upgrade keeps the settings and loses no request; a stopped service stays stopped.
func TestUpgrade(t *testing.T) {
	// Debian's rpm does not know Debian's packages.
	rpm := func(deed string) []string { return []string{"rpm", "--force-debian", "--nodeps", deed} }
	for _, format := range []struct {
		name                    string
		install, upgrade, again []string
	}{
		{"deb", []string{"dpkg", "--install"}, []string{"dpkg", "--install"}, []string{"dpkg", "--install"}},
		{"rpm", rpm("--install"), rpm("--upgrade"), append(rpm("--upgrade"), "--replacepkgs")},
	} {
		t.Run(format.name, func(t *testing.T) {
			t.Parallel()
			h := boot(t)
			h.run(append(format.install, "/older."+format.name)...)
			h.run("id", "haproxy-zk")
			h.becomes("ActiveState", "inactive", "UnitFileState", "disabled")
			h.settle()
			settings := h.run("cat", defaults)
			older := h.run("haproxy-zk", "version")
			a := h.app("web")
			h.start()
			before, _ := h.pids()
			load := h.load("web")
			h.used(load, a)

			h.run(append(format.upgrade, "/new."+format.name)...)
			if newer := h.run("haproxy-zk", "version"); newer == older {
				t.Errorf("both packages have %s: this shows nothing", newer)
			}
			h.takenOver(before)
			h.used(load, h.app("web"))
			lost(t, load)
			if now := h.run("cat", defaults); now != settings {
				t.Errorf("%s is now:\n%s", defaults, now)
			}
			h.run("systemctl", "stop", unit)
			h.run(append(format.again, "/new."+format.name)...)
			h.becomes("ActiveState", "inactive")
			if now := h.run("cat", defaults); now != settings {
				t.Errorf("%s is now:\n%s", defaults, now)
			}
		})
	}
}

// A removal ends HAProxy too, even one left by a crash, and keeps the configuration; a
// purge only leaves the user, and the site's own files.
func TestRemoval(t *testing.T) {
	t.Parallel()
	h := installed(t)
	h.app("web")
	h.run("systemctl", "enable", "--now", unit)
	h.pids()
	h.run("dpkg", "--remove", "haproxy-zk")
	h.nothingRuns()
	h.absent("/usr/bin/haproxy-zk", "/etc/systemd/system/multi-user.target.wants/"+unit)
	h.run("ls", defaults, "/var/lib/haproxy-zk")

	h.run("dpkg", "--install", "/new.deb")
	h.dropIn("Restart=no")
	h.start()
	main, haproxy := h.pids()
	h.signal(main, syscall.SIGKILL)
	h.becomes("ActiveState", "failed")
	h.servesAlone(haproxy)
	h.run("dpkg", "--purge", "haproxy-zk")
	h.eventually("HAProxy ends", func() error { return h.ended(haproxy) })
	h.absent(defaults, "/var/lib/haproxy-zk", "/run/haproxy-zk", "/usr/share/doc/haproxy-zk", "/usr/lib/sysusers.d/haproxy-zk.conf")
	h.run("id", "haproxy-zk")
}

// The rpm's removal ends HAProxy too, and keeps a copy of the configuration.
func TestRemovalOfTheRPM(t *testing.T) {
	t.Parallel()
	h := boot(t)
	h.run("rpm", "--force-debian", "--nodeps", "--install", "/new.rpm")
	h.settle()
	h.run("systemctl", "enable", "--now", unit)
	h.pids()
	h.run("rpm", "--force-debian", "--erase", "haproxy-zk")
	h.nothingRuns()
	h.absent("/usr/bin/haproxy-zk", "/etc/systemd/system/multi-user.target.wants/"+unit, "/usr/share/doc/haproxy-zk")
	h.run("ls", defaults+".rpmsave", "/var/lib/haproxy-zk")
}
