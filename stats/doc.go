// Package stats is what HAProxy itself counts and reports, of all workers of a proxy
// together: it reads their statistics when somebody asks, at most once a second for all
// who ask, and adds them up so that the workers read like one process. Counters continue
// when an instance gets another slot, when a worker is replaced and when HAProxy reloads.
//
// It changes nothing, knows nothing of ZooKeeper, and costs nothing while nobody asks.
package stats
