// Package state caches the registered instances across restarts, in a small file for each
// source of a proxy, so that a start while ZooKeeper or the directory cannot be read serves
// the last known ones. A [Keeper] stands between the reader of a source and the sink of its
// lists.
//
// A file is optional: if it cannot be read or written, that is logged and nothing fails.
// Its content is checked like ZooKeeper's.
package state
