package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/haproxy-zk/haproxy-zk/e2e/rig"
)

// keptTemplate keeps clients connected, as HAProxy does by default.
const keptTemplate = `global
    maxconn 2000
    daemon
    nbproc $nbproc
$sockets

defaults
    mode http
    option redispatch 1
    retries 3
    timeout connect 1s
    timeout client 60s
    timeout server 60s
    timeout http-request 10s
    timeout http-keep-alive 5s

frontend public
    bind 127.0.0.1:$listener_port
$default_backend

$backend
`

// staticHAProxy is an HAProxy with the template and fixed servers: what haproxy-zk is
// measured against.
type staticHAProxy struct {
	listener string
	pids     []int
}

func startStatic(ctx context.Context, h rig.HAProxy, workers int, dir string, servers []*rig.App) (*staticHAProxy, error) {
	port, err := rig.FreePort()
	if err != nil {
		return nil, err
	}
	var backend strings.Builder
	backend.WriteString("backend web\n    balance roundrobin\n")
	for i, app := range servers {
		fmt.Fprintf(&backend, "    server web%d %s check inter 2000 rise 1 fall 2\n", i+1, app.Addr())
	}
	processes := ""
	if h.Nbproc {
		processes = fmt.Sprintf("    nbproc %d\n", workers)
	}
	text := strings.NewReplacer(
		"    nbproc $nbproc\n", processes, "$sockets\n", "", "$listener_port", fmt.Sprint(port),
		"$default_backend", "    default_backend web", "$backend\n", backend.String(),
	).Replace(keptTemplate)
	file, pidFile := filepath.Join(dir, "static.cfg"), filepath.Join(dir, "static.pid")
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		return nil, err
	}
	pids, err := launch(ctx, h.Path, file, pidFile)
	return &staticHAProxy{listener: fmt.Sprintf("127.0.0.1:%d", port), pids: pids}, err
}

func (s *staticHAProxy) stop() error { return terminate(s.pids) }
