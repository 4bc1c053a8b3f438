// Package host starts, stops, restarts and shows the one haproxy-zk of a host from
// another process, for init scripts and operators.
//
// It owns the pid file, the record of the running daemon in RUN_DIR and the output of
// the host commands. It never serves anything itself: it starts the daemon as a
// separate process, talks to it over the control socket and HTTP, and stops an HAProxy
// that a daemon has left running.
package host
