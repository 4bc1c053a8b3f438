// Package control is the unix socket over which the commands of a host talk to the
// haproxy-zk running there, in HTTP:
//
//	POST /detach        end, and leave HAProxy serving ([Options.Detach])
//	POST /release       the body is PROXY/GROUP: release its held instances
//	POST /reload        read the configuration again, and wait ([Options.Reload])
//	GET  /loglevel      debug, info, warn or error
//	PUT  /loglevel      the body becomes the level
//	GET  /debug/pprof/  profiles of net/http/pprof
//
// Every process that can open the socket has full control: its mode is 0600 from its
// creation on. It is never served on TCP, has no metrics, and makes no decisions.
package control
