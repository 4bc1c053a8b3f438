package deploy

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/haproxy-zk/haproxy-zk/e2e/rig"
)

// balancer is a haproxy-zk, which may be started again with other settings.
type balancer struct {
	t    *testing.T
	home string
	// network is where it runs; nil is that of the test.
	network *rig.Namespace
	ports
	daemon *rig.Daemon
}

// ports are where a load balancer serves clients and answers /readyz.
type ports struct{ listener, http int }

func newBalancer(t *testing.T, network *rig.Namespace) *balancer {
	t.Helper()
	return &balancer{t: t, home: home(t), network: network, ports: ports{port(t), port(t)}}
}

// start starts it as these variables and its ports describe, and waits until it is ready.
func (b *balancer) start(env ...string) {
	b.t.Helper()
	b.launch(append([]string{
		"EXEC=" + b.executable(), fmt.Sprintf("LISTENER_PORT=%d", b.listener), fmt.Sprintf("ADMIN_PORT=%d", port(b.t)),
	}, env...)...)
}

// launch starts it with these variables and waits until it is ready.
func (b *balancer) launch(env ...string) {
	b.t.Helper()
	var err error
	b.daemon, err = rig.StartDaemon(rig.DaemonOptions{
		Binary: shared.binary, Dir: b.home, Namespace: b.network,
		Args: []string{"run", "--run-dir", b.home + "/run", "--state-dir", b.home + "/state", "--http-addr", fmt.Sprintf(":%d", b.http)},
		Env:  env,
	})
	must(b.t, err)
	daemon := b.daemon
	b.t.Cleanup(func() {
		if b.t.Failed() {
			b.t.Logf("the daemon said:\n%s", daemon.Output())
		}
		if err := daemon.Close(); err != nil {
			b.t.Error(err)
		}
	})
	eventually(b.t, "ready", b.ready)
}

// executable returns the path of a script that starts HAProxy.
func (b *balancer) executable() string {
	b.t.Helper()
	path := filepath.Join(b.home, "haproxy")
	b.script("exec " + shared.haproxy.Path + ` "$@"`)
	return path
}

// script replaces that script, which is where HAProxy comes from.
func (b *balancer) script(line string) {
	b.t.Helper()
	path := filepath.Join(b.home, "haproxy")
	aside := path + ".new"
	must(b.t, os.WriteFile(aside, []byte("#!/bin/sh\n"+line+"\n"), 0o755)) //nolint:gosec // it is executed
	must(b.t, os.Rename(aside, path))
}

// ready returns nil if /readyz is 200.
func (b *balancer) ready() error {
	code, body := b.get("/readyz")
	if code != http.StatusOK {
		return fmt.Errorf("readyz: %d %s", code, body)
	}
	return nil
}

// get requests a path of its HTTP port; code 0 means no answer.
func (b *balancer) get(path string) (code int, body string) {
	url := fmt.Sprintf("http://127.0.0.1:%d%s", b.http, path)
	if b.network == nil {
		return rig.Get(url)
	}
	_ = b.network.Do(func() error {
		output, err := b.network.Command("curl", "--silent", "--noproxy", "*", "--max-time", "5", "--write-out", "\n%{http_code}", url).Output()
		if err != nil {
			body = err.Error()
			return nil
		}
		text := string(output)
		end := strings.LastIndexByte(text, '\n')
		body = text[:end]
		_, err = fmt.Sscan(text[end+1:], &code)
		return err
	})
	return code, body
}

func (b *balancer) signal(sig syscall.Signal) {
	b.t.Helper()
	must(b.t, b.daemon.Signal(sig))
}

// exits waits until it has stopped as requested.
func (b *balancer) exits() {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.t.Context(), within)
	defer cancel()
	code, err := b.daemon.Wait(ctx)
	must(b.t, err)
	if code != 0 {
		b.t.Errorf("exit code %d", code)
	}
	if left, err := b.daemon.Leftovers(); err != nil || len(left) > 0 {
		b.t.Errorf("left behind: %v, %v", left, err)
	}
}
