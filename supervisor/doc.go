// Package supervisor owns the processes: every fork, exec, signal and wait of
// haproxy-zk. A [Reaper] waits for all children, as PID 1 or as a subreaper. An [HAProxy]
// adopts, starts, reloads, restores and stops the processes of one proxy. [Proxies] keeps
// the set of proxies running. In a container [ProcessOne] is process 1 and keeps the
// daemon running, which sees it as its [Parent].
//
// The listening sockets of the serving generation are kept for the next launch, so that
// a crash of HAProxy refuses no connection.
//
// A [Command] is a program that an operator runs below haproxy-zk register.
//
// The package does not know ZooKeeper and does not talk to HAProxy: a [Prober] finds out
// which processes answer, and [Listeners] are taken and given by others.
package supervisor
