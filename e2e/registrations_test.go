package e2e

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/go-zookeeper/zk"

	"github.com/haproxy-zk/haproxy-zk/e2e/rig"
)

const (
	persistentText = "registered, but not ephemeral: it stays when the instance dies"
	persistentLine = "instance is registered but not ephemeral: it stays when the instance dies"
	misplacedLine  = "path does not exist, but its parent has other children: zk.path says where instances are looked for"
	skippedLine    = "skipping registered names that are not usable instances"

	// curatorID and curatorData are in the format of Curator's x-discovery, goKitID in
	// that of go-kit's registrar.
	curatorID   = "fd1e2c34-0b5a-4a7f-9c3d-1234567890ab"
	curatorData = `{"name":"orders","id":"` + curatorID + `","address":"10.0.0.5","port":8080,"sslPort":null,"payload":null,"registrationTimeUTC":1769292890155,"serviceType":"DYNAMIC","uriSpec":null}`
	goKitID     = "_c_fd1e2c340b5a4a7f9c3d1234567890ab-0000000000"
)

// registered is the registrations of one group in /readyz.
type registered struct {
	Usable int
	Found  []struct {
		Kind, Example, Problem, Remedy string
		Count                          int
	}
}

// finds returns nil if /readyz, which is 200, has exactly these kinds for a group, each
// as "KIND COUNT EXAMPLE".
func (s *stage) finds(group string, usable int, want ...string) error {
	code, body := s.get("/readyz")
	var document struct {
		Proxies map[string]struct{ Registrations map[string]registered }
	}
	if err := json.Unmarshal([]byte(body), &document); err != nil || code != http.StatusOK {
		return fmt.Errorf("readyz: %d %s %w", code, body, err)
	}
	got := document.Proxies[s.proxy()].Registrations[group]
	var kinds []string
	for _, f := range got.Found {
		kinds = append(kinds, fmt.Sprintf("%s %d %s", f.Kind, f.Count, f.Example))
		if f.Problem == "" || f.Remedy == "" {
			return fmt.Errorf("%s is not explained: %s", f.Kind, body)
		}
	}
	if strings.Join(kinds, "; ") != strings.Join(want, "; ") || len(want) > 0 && got.Usable != usable {
		return fmt.Errorf("of %s it says %d usable, %q, not %q", group, got.Usable, kinds, want)
	}
	return nil
}

// logs waits for exactly one line with a message and returns it.
func (s *stage) logs(message string) map[string]any {
	s.t.Helper()
	var lines []map[string]any
	s.eventually("it is logged: "+message, func() error {
		if lines = s.logged(message); len(lines) != 1 {
			return fmt.Errorf("%d lines", len(lines))
		}
		return nil
	})
	return lines[0]
}

// persistent creates a node like `create` of zkCli without -e.
func (s *stage) persistent(node string, data string) {
	s.t.Helper()
	if err := s.registry.Ensure(node); err != nil {
		s.t.Fatal(err)
	}
	if _, err := s.registry.Conn().Set(node, []byte(data), -1); err != nil {
		s.t.Fatal(err)
	}
}

func TestPersistentInstanceIsServedAndReported(t *testing.T) {
	onSomeHAProxy(t, func(t *testing.T, h rig.HAProxy) {
		s := begin(t, h, nil)
		live := s.app(front)
		s.serves(front, live)
		series := []string{`group="` + front + `"`}
		s.eventually("none is persistent", func() error {
			return errors.Join(s.counts(0, "haproxyzk_instances_persistent", series...), s.finds(front, 1))
		})

		// go-kit's registrar makes the name a persistent node, and registers below it.
		a := s.unregistered(front)
		node := s.node(front) + "/" + a.Addr()
		s.persistent(node, "")
		session, err := rig.ConnectRegistry(t.Context(), s.config.ZKAddr, patience)
		if err != nil {
			t.Fatal(err)
		}
		defer session.Close()
		if err := session.Register(node, goKitID); err != nil {
			t.Fatal(err)
		}
		s.serves(front, live, a)
		s.eventually("it is reported", func() error {
			return errors.Join(s.finds(front, 2, "persistent 1 "+a.Addr()), s.counts(1, "haproxyzk_instances_persistent", series...))
		})
		if line := s.logs(persistentLine); line["level"] != "WARN" || line["group"] != front || line["example"] != a.Addr() || line["count"] != 1.0 {
			t.Errorf("the line is %v", line)
		}
		code, findings := s.findings(s.written(), "--online")
		wants(t, findings, "warning", "ngboss.groups."+front+".zk.path", s.node(front)+`: 1 instance, as "`+a.Addr()+`": `+persistentText)
		if code != 0 {
			t.Errorf("exit code %d: %+v", code, findings)
		}

		// Its session ends, but it still serves, as was reported.
		session.Close()
		s.serves(front, live, a)

		// Replaced by an ephemeral node, in one transaction.
		acl := zk.WorldACL(zk.PermAll)
		s.eventually("it is replaced", func() error {
			_, err := s.registry.Conn().Multi(&zk.DeleteRequest{Path: node, Version: -1}, &zk.CreateRequest{Path: node, Acl: acl, Flags: zk.FlagEphemeral})
			return err
		})
		s.eventually("it is reported no more", func() error {
			return errors.Join(s.finds(front, 2), s.counts(0, "haproxyzk_instances_persistent", series...))
		})
		s.serves(front, live, a)
		s.logs(persistentLine)
	})
}

// fromDefaults starts the daemon with ZK_ADDR only, in its own chroot with the default
// root /services.
func (s *stage) fromDefaults(h rig.HAProxy) (env []string, root string) {
	s.t.Helper()
	chroot := "/" + filepath.Base(s.home)
	s.config.Proxy = "default"
	env = []string{
		"ZK_ADDR=" + s.config.ZKAddr + chroot, "EXEC=" + h.Path, "LOG_FORMAT=json",
		fmt.Sprintf("LISTENER_PORT=%d", s.port()), fmt.Sprintf("ADMIN_PORT=%d", s.port()),
	}
	return env, chroot + "/services"
}

func TestOtherLayoutsBelowTheDefaultRootAreReported(t *testing.T) {
	onSomeHAProxy(t, func(t *testing.T, h rig.HAProxy) {
		s := newStage(t, h, nil)
		s.connect()
		env, root := s.fromDefaults(h)
		s.persistent(root+"/orders/"+curatorID, curatorData)
		s.run(env...)
		s.ready()
		s.eventually("Curator's is reported", func() error { return s.finds("orders", 0, "misplaced 1 "+curatorID) })
		line := s.logs(misplacedLine)
		if line["group"] != "orders" || line["path"] != root+"/orders/instances" || line["example"] != curatorID {
			t.Errorf("the line is %v", line)
		}

		// An instance that registers later, after the node of its group.
		if err := s.registry.Register(root+"/payments", goKitID); err != nil {
			t.Fatal(err)
		}
		s.eventually("go-kit's is reported", func() error { return s.finds("payments", 0, "misplaced 1 "+goKitID) })
		if err := s.counts(2, "haproxyzk_registrations_skipped", `kind="misplaced"`); err != nil {
			t.Error(err)
		}

		// A registration in the expected place ends it.
		a := s.unregistered("orders")
		if err := s.registry.Register(root+"/orders/instances", a.Addr()); err != nil {
			t.Fatal(err)
		}
		s.eventually("orders is as it should be", func() error {
			return errors.Join(s.finds("orders", 1), s.finds("payments", 0, "misplaced 1 "+goKitID))
		})
	})
}

func TestCheckOnlineLooksIntoDiscoveredGroups(t *testing.T) {
	t.Parallel()
	s := newStage(t, shared.haproxies[0], discovering)
	s.connect()
	s.app(front)
	parent := func(group string) string { return strings.TrimSuffix(s.node(group), "/instances") }
	s.persistent(parent("orders")+"/"+curatorID, curatorData)
	if err := s.registry.Register(s.node("users"), "web1.example.com:8080"); err != nil {
		t.Fatal(err)
	}
	s.persistent(s.node("lasting")+"/10.0.0.1:80", "")
	code, findings := s.findings(s.written(), "--online")
	const where = "ngboss.groups.*.zk.path"
	wants(t, findings, "warning", where, s.node("orders")+" does not exist, and "+parent("orders")+" has other children; the example is a UUID")
	wants(t, findings, "warning", where, `(1 child, as "`+curatorID+`")`)
	wants(t, findings, "warning", where, s.node("users")+`: 1 name skipped, as "web1.example.com:8080": the host name`)
	wants(t, findings, "warning", where, s.node("lasting")+`: 1 instance, as "10.0.0.1:80": `+persistentText)
	if code != 0 {
		t.Errorf("exit code %d: %+v", code, findings)
	}
	if code, _ := s.findings(s.written(), "--online", "--strict"); code != 2 {
		t.Errorf("--strict: exit code %d", code)
	}
}

func TestGroupWithoutUsableNamesReportsWhy(t *testing.T) {
	onSomeHAProxy(t, func(t *testing.T, h rig.HAProxy) {
		s := begin(t, h, nil)
		kinds := map[string]string{
			"host_name": "web1.example.com:8080", "uuid": curatorID, "sequential": "member_0000000007", "host_port_sequence": "10.0.0.5_8080_0000000012",
			"url": "tri%3A%2F%2F10.224.1.29%3A50052%2Forg.apache.dubbo.Demo", "encoded": `{"host":"10.0.0.5"}`, "address": "10.0.0.5:70000", "other": "config\u202e",
			"refused": s.config.Listener(),
		}
		ofData := []string{"payload", "protocol", "waiting", "unresolved", "unreadable"} // with other formats
		for _, kind := range slices.AppendSeq(slices.Clone(ofData), maps.Keys(kinds)) {
			if err := s.counts(0, "haproxyzk_registrations_skipped", `kind="`+kind+`"`); err != nil {
				t.Error(err)
			}
		}
		_, metrics := s.get("/metrics")
		if n := strings.Count(metrics, "\nhaproxyzk_registrations_skipped{"); n != len(kinds)+len(ofData)+1 {
			t.Errorf("%d kinds begin at 0", n)
		}
		for _, name := range kinds {
			if err := s.registry.Register(s.node(front), name); err != nil {
				t.Fatalf("%q: %v", name, err)
			}
		}
		s.eventually("each kind is counted", func() error {
			var errs []error
			for kind := range kinds {
				errs = append(errs, s.counts(1, "haproxyzk_registrations_skipped", `kind="`+kind+`"`))
			}
			return errors.Join(errs...)
		})
		_, body := s.get("/readyz")
		for _, part := range []string{`"usable":0`, `"kind":"host_name","count":1,"example":"web1.example.com:8080","problem":"a host name instead of an IP address"`, `config\\u202e`} {
			if !strings.Contains(body, part) {
				t.Errorf("/readyz has no %s: %s", part, body)
			}
		}
		s.eventually("each kind is logged", func() error {
			if lines := s.logged(skippedLine); len(lines) != len(kinds) {
				return fmt.Errorf("%d lines", len(lines))
			}
			return nil
		})
		if strings.Contains(s.daemon.Output(), "\u202e") {
			t.Error("a character that turns a line around is in the log")
		}
		// More of the same kind are logged, the last of them together.
		for i := range 5 {
			if err := s.registry.Register(s.node(front), fmt.Sprintf("web2.example.com:%d", 8000+i)); err != nil {
				t.Fatal(err)
			}
		}
		a := s.app(front)
		s.serves(front, a)
		s.eventually("they are counted", func() error { return s.counts(6, "haproxyzk_registrations_skipped", `kind="host_name"`) })
		if lines := s.logged(skippedLine); len(lines) > 10+len(kinds) || !strings.HasPrefix(fmt.Sprint(lines[len(kinds)]["example"]), "web") {
			t.Errorf("%d lines: %v", len(lines), lines)
		}
		_, findings := s.findings(s.written(), "--online")
		wants(t, findings, "warning", "ngboss.groups."+front+".zk.path", `6 names skipped, as "web1.example.com:8080": a host name instead of an IP address`)
	})
}

func TestMissingPathsAreCreated(t *testing.T) {
	onSomeHAProxy(t, func(t *testing.T, h rig.HAProxy) {
		s := begin(t, h, func(c *rig.SeedConfig) {
			discovering(c)
			c.Extra = map[string]any{"create_paths": true}
		})
		acl, _, err := s.registry.Conn().GetACL(s.node(front))
		if err != nil || len(acl) != 1 || acl[0] != zk.WorldACL(zk.PermAll)[0] {
			t.Errorf("the path of the group: %v, %v", acl, err)
		}
		// An application may rely on it.
		a := s.unregistered(front)
		if _, err := s.registry.Conn().Create(s.node(front)+"/"+a.Addr(), nil, zk.FlagEphemeral, zk.WorldACL(zk.PermAll)); err != nil {
			t.Fatal(err)
		}
		s.serves(front, a)

		// Nothing is created for a discovered group.
		web := s.app("web")
		s.serves("web", web)
		api := strings.TrimSuffix(s.node("api"), "/instances")
		if err := s.registry.Ensure(api); err != nil {
			t.Fatal(err)
		}
		s.eventually("api is discovered", func() error { return s.compareAnswer("api", []string{}) })
		next := s.app("web")
		s.serves("web", web, next)
		if children, err := s.registry.Children(api); err != nil || len(children) > 0 {
			t.Errorf("below api are %v, %v", children, err)
		}
	})
}

func TestPathOfAUserIsCreatedForThatUser(t *testing.T) {
	t.Parallel()
	s := begin(t, shared.haproxies[0], func(c *rig.SeedConfig) {
		c.Extra = map[string]any{"create_paths": true, "zk.auth": permission}
	})
	if err := s.registry.Conn().AddAuth("digest", []byte(reader+":"+canary)); err != nil {
		t.Fatal(err)
	}
	var acl []zk.ACL
	s.eventually("it is created", func() (err error) {
		acl, _, err = s.registry.Conn().GetACL(s.node(base))
		return err
	})
	if want := zk.DigestACL(zk.PermAll, reader, canary); len(acl) != 1 || acl[0] != want[0] {
		t.Errorf("%v, not %v", acl, want)
	}
	s.stopped()
	leaks(t, "the output", s.daemon.Output())
}

func TestDeniedPathCreationIsReported(t *testing.T) {
	t.Parallel()
	s := newStage(t, shared.haproxies[0], func(c *rig.SeedConfig) {
		c.Extra = map[string]any{"create_paths": true}
	})
	s.connect()
	top := "/" + filepath.Base(s.home)
	s.persistent(top, "")
	allow := func(perms int32) {
		t.Helper()
		if _, err := s.registry.Conn().SetACL(top, zk.WorldACL(perms), -1); err != nil {
			t.Fatal(err)
		}
	}
	allow(zk.PermRead | zk.PermAdmin)
	s.start()
	s.ready()
	s.eventually("it is reported", func() error {
		return errors.Join(s.finds(front, 0, "not_created 0 "), s.finds(base, 0, "not_created 0 "))
	})
	lines := s.logged("cannot create path, waiting for it")
	if len(lines) != 2 || !strings.HasPrefix(fmt.Sprint(lines[0]["problem"]), "no permission to create "+top) {
		t.Errorf("the lines are %v", lines)
	}
	allow(zk.PermAll)
	err := rig.Eventually(t.Context(), 2*time.Minute, func() error {
		_, err := s.registry.Children(s.node(front))
		return errors.Join(err, s.finds(front, 0), s.finds(base, 0))
	})
	if err != nil {
		t.Fatal(err)
	}
	if n := len(s.logged("cannot create path, waiting for it")); n != 2 {
		t.Errorf("%d lines", n)
	}
}
