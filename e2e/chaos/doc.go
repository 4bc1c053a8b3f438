// Package chaos injects many faults at the same time, at random and under load: in
// instances, ZooKeeper, HAProxy and haproxy-zk, by operators and by other clients.
// Every lost request must be explained by a process that the run itself killed or
// stopped at that moment. When all faults are over, every worker must serve what
// ZooKeeper has, and nothing may have leaked.
//
// The faults come from a seed: the same seed gives the same faults in the same
// order. Their effects depend on the machine's timing.
package chaos
