// Package daemon runs haproxy-zk: it connects HAProxy, controller and sources of each
// proxy and serves the query API and the control socket beside them, until it is
// stopped. It handles signals, reloads the configuration and reports its status to
// systemd.
//
// It owns the order in which everything starts and ends, and the set of proxies. It
// never decides which instances serve, never talks to HAProxy or ZooKeeper itself, and
// knows no command line.
package daemon
