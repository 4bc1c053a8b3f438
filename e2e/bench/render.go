package main

import (
	"fmt"

	"github.com/haproxy-zk/haproxy-zk/haproxy"
)

const (
	slotsPerBackend = 20
	// maxconn is small: the descriptors are for the health checks.
	reloadTemplate = `global
    maxconn 100
    nbproc $nbproc
$sockets

defaults
    mode http
    timeout connect 5s
    timeout client 60s
    timeout server 60s

frontend public
    bind 127.0.0.1:$listener_port
$default_backend

$backend
`
)

// render returns a configuration of free slots, as haproxy-zk renders it before any
// instance is registered, and how many open files it needs.
func render(version haproxy.Version, socket string, port, slots int, checked bool) (config []byte, files uint64, err error) {
	template, err := haproxy.ParseTemplate(reloadTemplate)
	if err != nil {
		return nil, 0, err
	}
	settings := ""
	if checked {
		settings = "check inter 2000 rise 1 fall 2"
	}
	frame := haproxy.Frame{Version: version, Sockets: []string{socket}, ListenerPort: uint16(port)}
	var backends []haproxy.Backend
	var rows [][]haproxy.Row
	for left := slots; left > 0; left -= slotsPerBackend {
		name := fmt.Sprintf("bench%d", len(backends)+1)
		size := min(left, slotsPerBackend)
		servers, err := haproxy.ParseServerTemplate("${group_name} 1-${max_server} ${ip_port} "+settings, name, size)
		if err != nil {
			return nil, 0, err
		}
		backends = append(backends, haproxy.Backend{Name: name, Mode: "http", Balance: "roundrobin", Default: len(backends) == 0, Servers: servers})
		rows = append(rows, make([]haproxy.Row, size))
	}
	if err := template.Validate(frame, backends); err != nil {
		return nil, 0, err
	}
	config = template.Render(frame, backends, rows)
	if checked {
		_, files = haproxy.Files(config, slots, 0)
	}
	return config, files, nil
}
