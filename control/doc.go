// Package control is the unix socket by which the commands of a host talk to
// the haproxy-zk that runs there, in HTTP:
//
//	POST /detach        end, and leave HAProxy serving ([Options.Detach])
//	POST /release       the body is PROXY/GROUP: let go what is held there
//	GET  /loglevel      debug, info, warn or error
//	PUT  /loglevel      the body becomes the level
//	GET  /debug/pprof/  profiles of net/http/pprof
//
// Who may open the socket may do all of that: it has mode 0600 from its first
// moment on. It is never served on TCP, has no metrics, and decides nothing.
package control
