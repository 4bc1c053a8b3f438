// Package rig has the real parts that the tests, the benchmarks and the demo run around
// haproxy-zk: a real ZooKeeper, real HTTP applications that register themselves in it,
// load on a listener, the installed HAProxy binaries, and the daemon under test as a
// separate process.
//
// It plays the part of the applications, so it talks to ZooKeeper directly and imports
// no other package of this module. Everything listens on loopback, every process dies
// with the process that started it, and every Stop and Close waits until what it ends
// is gone.
package rig
