package e2e

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/haproxy-zk/haproxy-zk/e2e/rig"
)

// fileHas waits until the configuration file has exactly these instances in service in a
// group.
func (s *stage) fileHas(group string, apps ...*rig.App) {
	s.t.Helper()
	s.eventually("the file of "+group, func() error {
		text, err := os.ReadFile(s.config.ConfFile())
		if err != nil {
			return err
		}
		got, inside := []string{}, false
		for line := range strings.Lines(string(text)) {
			words := strings.Fields(line)
			switch {
			case len(words) == 0:
			case line[0] != ' ':
				inside = slices.Equal(words, []string{"backend", group})
			case inside && words[0] == "server" && !slices.Contains(words, "disabled"):
				got = append(got, words[2])
			}
		}
		slices.Sort(got)
		if diff := cmp.Diff(addrs(apps), got); diff != "" {
			return fmt.Errorf("-want +got\n%s", diff)
		}
		return nil
	})
}

// parses runs `haproxy -c` on the configuration file.
func (s *stage) parses() {
	s.t.Helper()
	if output, err := exec.CommandContext(s.t.Context(), s.home+"/sbin/haproxy", "-c", "-f", s.config.ConfFile()).CombinedOutput(); err != nil {
		s.t.Errorf("HAProxy rejects the file: %v\n%s\n%s", err, output, s.file(s.config.ConfFile()))
	}
}

// byHand starts HAProxy with the configuration file, as an operator would, and returns what
// ends it.
func (s *stage) byHand() (end func()) {
	s.t.Helper()
	if output, err := exec.CommandContext(s.t.Context(), s.home+"/sbin/haproxy", "-D", "-f", s.config.ConfFile(), "-p", s.config.PIDFile()).CombinedOutput(); err != nil {
		s.t.Fatalf("start HAProxy by hand: %v\n%s", err, output)
	}
	pids := s.pids()
	kill := func() {
		for _, pid := range pids {
			if s.lives(fmt.Sprint(pid)) {
				_ = syscall.Kill(pid, syscall.SIGKILL)
			}
		}
	}
	s.t.Cleanup(kill)
	return kill
}

// The configuration file and its maps are what HAProxy runs, whatever has come and gone
// since its start: a start with them, by whatever means, serves the same.
func TestFilesAreWhatHAProxyRuns(t *testing.T) {
	onEveryHAProxy(t, func(t *testing.T, h rig.HAProxy) {
		z := ownZooKeeper(t, rig.ZooKeeperOptions{})
		s := begin(t, h, func(c *rig.SeedConfig) {
			discoveringBy("auto")(c)
			c.ZKAddr = z.Addr()
		})
		apps := s.apps(2, front)
		shop := s.app("shop")
		s.serves(front, apps...)
		s.serves("shop", shop)
		s.eventually("the reload for the group is over", func() error { return s.answers("/shop/x", shop) })
		before := s.pids()
		load := s.fresh(rig.Target{Path: "/", App: front}, rig.Target{Path: "/shop/x", App: "shop"})
		apps = append(apps, s.app(front))
		s.do("unregister", apps[0].Unregister)
		apps = apps[1:]
		groups := map[string]*rig.App{"shop": shop}
		if addsBackends(h) {
			groups["late"] = s.group("late")
		}
		s.serves(front, apps...)
		s.fileHas(front, apps...)
		s.parses()

		server, err := rig.FindServer(s.config.Sockets()[0], front, apps[0].Addr())
		if err != nil {
			t.Fatal(err)
		}
		s.onSocket("set server " + front + "/" + server.Name + " state maint")
		s.fileHas(front, apps[1])
		s.parses()
		s.onSocket("set server " + front + "/" + server.Name + " state ready")
		s.fileHas(front, apps...)
		s.keepsPIDs(before)
		s.lost(load)
		s.keeps(append(slices.Clone(apps), appsOf(groups)...)...)

		if err := z.Kill(); err != nil {
			t.Fatal(err)
		}
		s.powerLoss()
		end := s.byHand()
		load = s.fresh(rig.Target{Path: "/", App: front})
		s.eventually("an HAProxy that was started by hand serves", func() error { return used(load, apps) })
		for name, app := range groups {
			s.eventually(name, func() error { return s.answers("/"+name+"/x", app) })
		}
		s.lost(load)
		end()
		s.start()
		s.serves(front, apps...)
		for name, app := range groups {
			s.serves(name, app)
			s.eventually(name, func() error { return s.answers("/"+name+"/x", app) })
		}
		s.fileHas(front, apps...)
		s.stopped()
	})
}

func appsOf(groups map[string]*rig.App) (apps []*rig.App) {
	for _, app := range groups {
		apps = append(apps, app)
	}
	return apps
}

// Files that have not changed are not written, whatever happens to servers that are out of
// service.
func TestUnchangedFilesAreNotWritten(t *testing.T) {
	onDynamicHAProxies(t, func(t *testing.T, h rig.HAProxy) {
		s := begin(t, h, carriedBy("servers"))
		a, gone := s.app(front), s.app(front)
		s.serves(front, a, gone)
		s.do("unregister", gone.Unregister)
		s.serves(front, a)
		s.fileHas(front, a)
		before, err := os.Stat(s.config.ConfFile())
		if err != nil {
			t.Fatal(err)
		}
		s.has(lingers, front, a) // the server is deleted
		after, err := os.Stat(s.config.ConfFile())
		if err != nil {
			t.Fatal(err)
		}
		if !os.SameFile(before, after) {
			t.Error("it was written again")
		}
		if left, _ := filepath.Glob(s.config.ConfFile() + ".n*"); left != nil {
			t.Errorf("%q remain", left)
		}
		s.stopped()
	})
}
