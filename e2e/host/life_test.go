//go:build release

package host

import (
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"testing"

	"github.com/haproxy-zk/haproxy-zk/e2e/rig"
)

// exposed is the maximum exposure level of the unit by systemd-analyze, of 10.
const exposed = 2.5

// After a start it serves when systemctl returns, on port 80 without being root; it
// writes where the unit allows it; systemctl shows its status.
func TestStart(t *testing.T) {
	t.Parallel()
	h := installed(t)
	a := h.app("web")
	h.start()
	h.answers("web", a)
	main, haproxy := h.pids()
	for _, pid := range []int{main, haproxy} {
		if user := h.run("stat", "--format", "%U", "/proc/"+h.inside(pid)); user != "haproxy-zk" {
			t.Errorf("process %d runs as %s", pid, user)
		}
	}
	h.becomes("StatusText", "all proxies are serving")
	if status := h.run("systemctl", "status", "--no-pager", unit); !strings.Contains(status, `Status: "all proxies are serving"`) {
		t.Errorf("systemctl status:\n%s", status)
	}
	for _, file := range []string{"/run/haproxy-zk/default.pid", "/run/haproxy-zk/default.1.sock", "/var/lib/haproxy-zk/default.json"} {
		h.eventually(file, func() error {
			owner, err := h.try("stat", "--format", "%U", file)
			if err == nil && owner != "haproxy-zk" {
				err = fmt.Errorf("it is %s's", owner)
			}
			return err
		})
	}

	verdict := h.run("systemd-analyze", "security", "--no-pager", unit)
	_, level, _ := strings.Cut(verdict, "Overall exposure level for "+unit+": ")
	level, _, _ = strings.Cut(level, " ")
	if score, err := strconv.ParseFloat(level, 64); err != nil || score > exposed {
		t.Errorf("exposure %q, at most %.1f:\n%s", level, exposed, verdict)
	}
	t.Logf("exposure level %s of 10", level)

	// It is running again after a boot, with an empty /run.
	h.run("systemctl", "enable", unit)
	h.reboot()
	h.becomes("ActiveState", "active")
	h.answers("web", a)
}

// A reload reads the configuration again; an invalid one changes nothing, and the
// journal has the reason.
func TestReload(t *testing.T) {
	t.Parallel()
	h := boot(t)
	h.run("dpkg", "--install", "/new.deb")
	config := func(groups string) string {
		return fmt.Sprintf(`{"shop": {"zk.addr": "zookeeper:2181", "zk.path": "%s/${group}/instances", "listener_port": %d, "groups": {%s}}}`, h.path, listener, groups)
	}
	const web, api = `"web": {"acls": ["path_beg /web/"]}`, `"api": {"acls": ["path_beg /api/"]}`
	const file = "/etc/haproxy-zk/config.json"
	a, b := h.app("web"), h.app("api")
	h.write(file, config(web))
	h.start()
	h.answers("web", a)
	main, _ := h.pids()
	load := h.load("web")

	h.write(file, config(web+", "+api))
	h.run("systemctl", "reload", unit)
	h.eventually("the new group serves", func() error {
		if code, body := h.get(listener, "/api/"); code != http.StatusOK || body != "api "+b+"\n" {
			return fmt.Errorf("/api/: %d %s", code, body)
		}
		return nil
	})
	h.becomes("ActiveState", "active", "SubState", "running")

	h.write(file, config(web+`, "api": {"mode": "ftp"}`))
	h.run("systemctl", "reload", unit)
	h.logs("ftp", "configuration rejected, nothing has changed")
	h.becomes("ActiveState", "active", "SubState", "running")
	h.answers("web", a)
	h.answers("api", b)
	if now, _ := h.pids(); now != main {
		t.Errorf("haproxy-zk was %d and is %d", main, now)
	}
	lost(t, load)
}

// A stop lets running requests finish, and leaves nothing behind.
func TestStop(t *testing.T) {
	t.Parallel()
	h := installed(t)
	a := h.app("web")
	h.start()
	_, haproxy := h.pids()
	addr, err := h.Published(listener)
	if err != nil {
		t.Fatal(err)
	}
	type answer struct {
		code int
		body string
	}
	answers := make(chan answer, 1)
	go func() {
		code, body := rig.Get("http://" + addr + "/web/slow?ms=4000")
		answers <- answer{code, body}
	}()
	h.eventually("the request runs", func() error { return h.busy("web") })
	h.run("systemctl", "stop", unit)
	if got := <-answers; got.code != http.StatusOK || got.body != "web "+a+"\n" {
		t.Errorf("the request that ran: %d %s", got.code, got.body)
	}
	if err := h.ended(haproxy); err != nil {
		t.Error(err)
	}
	h.nothingRuns()
	h.becomes("ActiveState", "inactive", "Result", "success", "ExecMainStatus", "0")
	if code, _ := h.get(api, "/healthz"); code != 0 {
		t.Errorf("something answers: %d", code)
	}
}
