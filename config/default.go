package config

import "time"

// The defaults, as they would be written in a file.
const (
	defaultZKPath         = "/services/${group}/instances"
	defaultExec           = "haproxy"
	defaultListenerPort   = "8080"
	defaultAdminPort      = "20001"
	defaultSessionTimeout = "10s"
	defaultHardStopHTTP   = "30m"
	defaultHardStopTCP    = "0s"
	defaultStopGrace      = "8s"

	defaultMode           = "http"
	defaultBalance        = "roundrobin"
	defaultServerTemplate = "${group_name} 1-${max_server} ${ip_port} check inter 2000 rise 1 fall 2 disabled"
	defaultMaxServer      = "10"
	defaultDrainTimeout   = "0s"
	defaultFlag           = "false"
)

// The limits that are ours.
const (
	shortestSession = time.Second
	mostServers     = 10000
)
