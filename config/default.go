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
	defaultLossGuard      = "100%"
	defaultFlag           = "false"

	defaultProxyName = "default"
	defaultWorkers   = "1"
)

// The limits that are ours.
const (
	shortestSession = time.Second
	mostServers     = 10000
	// mostWorkers is HAProxy's own limit of nbproc and nbthread.
	mostWorkers = 64
	// longestDiscovered bounds the names that ZooKeeper gives.
	longestDiscovered = 64
	// longestSecret leaves room in the 2048 bytes that a word of HAProxy's
	// configuration may have, whatever must be escaped.
	longestSecret = 256
)
