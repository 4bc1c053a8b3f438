package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"time"

	"github.com/haproxy-zk/haproxy-zk/e2e/rig"
	"github.com/haproxy-zk/haproxy-zk/haproxy"
)

const (
	// Windows in turn, so that other load on the machine affects both alike.
	routeWindows = 3
	routeWindow  = 2 * time.Second
	routeLimit   = 2 * time.Minute // for one HAProxy and one number of groups

	routesTemplate = `global
    maxconn 100
    nbthread 1
$sockets

defaults
    mode http
    timeout connect 5s
    timeout client 60s
    timeout server 60s

frontend public
    bind 127.0.0.1:$listener_port
$acl
$use_backend

$backend
`
)

func routeSizes() []int { return []int{10, 200, 1000, 5000} }

// routed is an HAProxy that serves groups, and what it has used so far.
type routed struct {
	cmd      *exec.Cmd
	listener string
	cpu      time.Duration
	requests int
}

// perRequest returns the CPU time of a request.
func (r *routed) perRequest() time.Duration { return r.cpu / time.Duration(max(1, r.requests)) }

// routes measures HAProxy's CPU time per request with groups found in a map and with two
// ACLs each.
func routes(ctx context.Context, haproxies []rig.HAProxy) error {
	printRoutesHeader()
	for _, h := range haproxies {
		for _, groups := range routeSizes() {
			acls, mapped, err := measureRoutes(ctx, h, groups)
			if err != nil {
				return fmt.Errorf("HAProxy %s, %d groups: %w", h, groups, err)
			}
			printRoutesRow(h.Name, groups, acls, mapped)
		}
	}
	return nil
}

func measureRoutes(ctx context.Context, h rig.HAProxy, groups int) (acls, mapped *routed, err error) {
	ctx, cancel := context.WithTimeout(ctx, routeLimit)
	defer cancel()
	dir, err := os.MkdirTemp("", "hz-bench-")
	if err != nil {
		return nil, nil, err
	}
	defer os.RemoveAll(dir)
	app, err := rig.StartApp("web")
	if err != nil {
		return nil, nil, err
	}
	defer func() { err = errors.Join(err, app.Stop()) }()
	var sides []*routed
	for _, route := range []haproxy.Route{"", haproxy.RoutePath} {
		r, err := startRouted(ctx, h, filepath.Join(dir, "haproxy"+string(route)+".cfg"), app.Addr(), groups, route)
		if err != nil {
			return nil, nil, err
		}
		defer r.stop()
		sides = append(sides, r)
	}
	for range routeWindows {
		for _, r := range sides {
			if err := r.drive(ctx, groups); err != nil {
				return nil, nil, err
			}
		}
	}
	return sides[0], sides[1], nil
}

// startRouted starts HAProxy with groups that all have one instance.
func startRouted(ctx context.Context, h rig.HAProxy, file, instance string, groups int, route haproxy.Route) (*routed, error) {
	port, err := rig.FreePort()
	if err != nil {
		return nil, err
	}
	template, err := haproxy.ParseTemplate(routesTemplate)
	if err != nil {
		return nil, err
	}
	servers, err := haproxy.ParseServerTemplate("s 1-1 ${ip_port}", "", 1)
	if err != nil {
		return nil, err
	}
	addr, err := netip.ParseAddrPort(instance)
	if err != nil {
		return nil, err
	}
	frame := haproxy.Frame{Version: haproxy.Version{Major: h.Major, Minor: h.Minor}, ConfFile: file, Sockets: []string{file + ".sock"}, ListenerPort: uint16(port)}
	var backends []haproxy.Backend
	var rows [][]haproxy.Row
	for i := range groups {
		name := groupName(i)
		backends = append(backends, haproxy.Backend{Name: name, Mode: "http", ACLs: haproxy.RoutePath.Conditions(name), Route: route, Servers: servers})
		rows = append(rows, []haproxy.Row{{Addr: addr}})
	}
	for _, m := range template.Maps(frame, backends) {
		if err := os.WriteFile(m.Path, m.Text(), 0o600); err != nil {
			return nil, err
		}
	}
	if err := os.WriteFile(file, template.Render(frame, backends, rows), 0o600); err != nil {
		return nil, err
	}
	r := &routed{cmd: exec.CommandContext(ctx, h.Path, "-db", "-f", file), listener: net.JoinHostPort("127.0.0.1", strconv.Itoa(port))}
	if err := r.cmd.Start(); err != nil {
		return nil, err
	}
	err = rig.Eventually(ctx, time.Minute, func() error {
		conn, err := net.Dial("tcp", r.listener)
		if err != nil {
			return err
		}
		return conn.Close()
	})
	if err != nil {
		r.stop()
		return nil, fmt.Errorf("start HAProxy: %w", err)
	}
	return r, nil
}

func (r *routed) stop() {
	_ = r.cmd.Process.Kill() // it may have ended
	_ = r.cmd.Wait()
}

// drive sends requests for random groups for one window.
func (r *routed) drive(ctx context.Context, groups int) error {
	targets := make([]rig.Target, groups)
	for i, n := range rand.Perm(groups) {
		targets[i] = rig.Target{Path: "/" + groupName(n) + "/x", App: "web"}
	}
	clients, err := rig.NewLoad(rig.LoadOptions{Addr: r.listener, Targets: targets, KeepAlive: 8, Rate: 1e6, MaxTime: routeLimit})
	if err != nil {
		return err
	}
	before, _, err := rig.Used(r.cmd.Process.Pid)
	if err != nil {
		return err
	}
	clients.Start(ctx)
	select {
	case <-time.After(routeWindow):
	case <-ctx.Done():
	}
	result := clients.Stop()
	after, _, err := rig.Used(r.cmd.Process.Pid)
	if err == nil && (result.Failures > 0 || result.Requests == 0) {
		err = fmt.Errorf("requests failed: %s", result)
	}
	r.cpu, r.requests = r.cpu+after-before, r.requests+result.Requests
	return errors.Join(err, ctx.Err())
}
