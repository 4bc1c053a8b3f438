// Package state keeps what was registered last, over restarts: a small file for
// each proxy, so that a start without ZooKeeper serves what is known. A [Keeper]
// stands between who reads what is registered and who serves it.
//
// A file is a help and never a condition: one that cannot be read or written is
// told and nothing ends by it. Nothing in it is believed that ZooKeeper would not
// be believed either.
package state
