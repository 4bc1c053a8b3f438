package config

import "time"

// DefaultExec is the HAProxy executable if the configuration names none.
const DefaultExec = "haproxy"

// The defaults, as they would be written in a file.
const (
	defaultZKPath         = "/services/${group}/instances"
	defaultListenerPort   = "8080"
	defaultAdminPort      = "20001"
	defaultSessionTimeout = "10s"
	defaultHardStopHTTP   = "30m"
	defaultHardStopTCP    = "0s"
	defaultListenerHold   = "2s"
	defaultStopDelay      = "0s"
	defaultStopGrace      = "8s"

	defaultMode         = "http"
	defaultMaxServer    = "10"
	defaultDrainTimeout = "0s"
	defaultCarry        = "slots"
	defaultLossGuard    = "100%"
	defaultFlag         = "false"

	defaultProxyName = "default"
	defaultWorkers   = "1"
)

// The limits that are ours.
const (
	minSessionTimeout = time.Second
	// maxWorkers is HAProxy's own limit of nbproc and nbthread.
	maxWorkers = 64
	// maxDiscoveredName bounds names from ZooKeeper.
	maxDiscoveredName = 64
	// maxSecret fits into the 2048 bytes of a word in HAProxy's configuration even if every
	// character is escaped.
	maxSecret = 256
)
