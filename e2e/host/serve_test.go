//go:build release

package host

import (
	"fmt"
	"net/http"
	"path"
	"strings"
	"testing"
	"time"

	"github.com/haproxy-zk/haproxy-zk/e2e/rig"
)

// app starts an instance, which registers itself, and returns its `ip:port`.
func (h *host) app(group string) string {
	h.t.Helper()
	c, err := rig.StartContainer(h.t.Context(), rig.ContainerOptions{Image: appImage, Networks: []string{shared.network}, Flags: []string{
		"--env", "ZK_ADDR=zookeeper:2181", "--env", "APP=" + group, "--env", "ZK_PATH=" + h.path,
	}})
	if err != nil {
		h.t.Fatal(err)
	}
	h.t.Cleanup(func() {
		if err := c.Remove(); err != nil {
			h.t.Error(err)
		}
	})
	var addr string
	h.eventually("the application registers", func() error {
		_, line, ok := strings.Cut(c.Logs(), "registered ")
		if !ok {
			return fmt.Errorf("it said: %s", c.Logs())
		}
		line, _, _ = strings.Cut(line, "\n")
		addr = path.Base(line)
		return nil
	})
	return addr
}

// get requests a URL at a published port; code 0 means no answer.
func (h *host) get(port int, url string) (int, string) {
	addr, err := h.Published(port)
	if err != nil {
		return 0, err.Error()
	}
	return rig.Get("http://" + addr + url)
}

// answers asserts that this instance serves a group now.
func (h *host) answers(group, addr string) {
	h.t.Helper()
	if code, body := h.get(listener, "/"+group+"/"); code != http.StatusOK || body != group+" "+addr+"\n" {
		h.t.Errorf("/%s/: %d %s", group, code, body)
	}
}

// load starts requests for a group.
func (h *host) load(group string) *rig.Load {
	h.t.Helper()
	addr, err := h.Published(listener)
	if err != nil {
		h.t.Fatal(err)
	}
	load, err := rig.NewLoad(rig.LoadOptions{Addr: addr, Targets: []rig.Target{{Path: "/" + group + "/", App: group}}, KeepAlive: 4, Fresh: 4, MaxTime: 5 * time.Minute})
	if err != nil {
		h.t.Fatal(err)
	}
	load.Start(h.t.Context())
	h.t.Cleanup(func() { load.Stop() })
	return load
}

// used waits until an instance has answered a request of the load.
func (h *host) used(load *rig.Load, addr string) {
	h.t.Helper()
	h.eventually("the instance is used", func() error {
		if load.Result().Instances[addr] == 0 {
			return fmt.Errorf("%s has answered nothing", addr)
		}
		return nil
	})
}

// lost ends a load and fails the test if a request was lost.
func lost(t *testing.T, load *rig.Load) {
	t.Helper()
	result := load.Stop()
	t.Logf("%s", result)
	if result.Failures > 0 || result.Requests == 0 {
		t.Errorf("requests were lost, or none was made:\n%s", result)
	}
}
