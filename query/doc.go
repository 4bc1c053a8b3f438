// Package query is the only HTTP port of haproxy-zk. It answers which
// instances each proxy means to serve, whether the process is alive and ready,
// and hands /metrics to the handler it is given.
//
//	GET /                  every proxy
//	GET /{proxy}           its groups
//	GET /{proxy}/{group}   one group: {"ngboss":{"web-ngboss":{"instances":["10.238.99.246:32800"]}}}
//	GET /healthz           the process
//	GET /readyz            every proxy: workers, groups not read yet, ZooKeeper
//	GET /metrics           [Options.Metrics]
//
// Documents are bytes prepared once per [registry.Snapshot]; a request looks
// whether the snapshots are still the same and copies them out.
//
// It never writes anything: no request changes a proxy, a file or ZooKeeper.
package query
