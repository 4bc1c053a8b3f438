// Package query is the only HTTP port of haproxy-zk. It answers which instances each
// proxy is meant to serve, and whether the process is alive and ready, and passes
// /metrics to a handler.
//
//	GET /                  every proxy
//	GET /{proxy}           its groups
//	GET /{proxy}/{group}   one group: {"ngboss":{"web-ngboss":{"instances":["10.238.99.246:32800"]}}}
//	GET /healthz           the process
//	GET /readyz            every proxy: workers, groups not read yet, ZooKeeper
//	GET /metrics           [Options.Metrics]
//	GET /events            what changed: up to now, or as a stream of server-sent events
//	GET /{proxy}/config    HAProxy's configuration, without secrets
//	GET /ui                the page for people, its files and its stream of changes (room ui)
//	GET /openapi.json      the description of all this
//
// Documents are pages: bytes prepared once per [registry.Snapshot], with what is made from
// them, such as their compressed form. A request checks that the snapshots are still
// current and copies the bytes. A blocking query (?index) waits for a page of another
// index; one goroutine wakes those whose page changed.
//
// A path, a parameter and the address at which they are answered are rows in routes.go.
//
// [Client] queries the port of a running haproxy-zk, for the commands.
//
// Nothing is ever written: no request changes a proxy, a file or ZooKeeper.
package query
