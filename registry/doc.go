// Package registry holds the plain values that the rooms of haproxy-zk hand
// each other: what is registered in ZooKeeper, what a proxy means to serve,
// and what is to be launched. It is a leaf: it imports nothing of this module
// and does no I/O.
package registry
