// Package state caches the registered instances across restarts, in a small file for each
// proxy, so that a start without ZooKeeper serves the last known ones. A [Keeper] stands
// between the reader of ZooKeeper and HAProxy's controller.
//
// A file is optional: if it cannot be read or written, that is logged and nothing fails.
// Its content is checked like ZooKeeper's.
package state
