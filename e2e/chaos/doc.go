// Package chaos lets many things go wrong at the same time, at random and under
// load: instances, ZooKeeper, HAProxy, haproxy-zk, operators and strangers. Every
// request that is lost must be explained by a process that the run itself ended or
// stopped at that moment. When all faults are over, every worker must serve what
// ZooKeeper has, and nothing may have leaked.
//
// The faults come from a seed: the same seed gives the same faults in the same
// order. What they meet depends on the machine's timing.
package chaos
