// Package supervisor owns the processes: every fork, exec, signal and wait of
// haproxy-zk. A [Reaper] is the one that waits for children, as PID 1 or as
// their subreaper; an [HAProxy] starts, reloads, restores and stops the
// processes that serve one proxy; [Proxies] keeps the set of proxies running.
//
// It knows nothing of ZooKeeper and does not read what HAProxy says: which
// processes answer it learns from a [Prober].
package supervisor
