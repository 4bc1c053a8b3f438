// Package exitcode decides which errors a human must fix before another attempt can
// succeed, and which may be temporary. systemd and Docker restart haproxy-zk after exit
// code 1, but not after 2.
//
// It owns that decision and the codes. It never ends the process and never prints.
package exitcode
