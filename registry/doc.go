// Package registry holds the plain values that the packages of haproxy-zk exchange: what
// is registered in ZooKeeper, what a proxy is meant to serve, and what to launch. It is a
// leaf: it imports nothing of this module and does no I/O.
package registry
