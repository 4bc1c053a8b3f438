// Package events remembers what changed: the latest events of haproxy-zk in a [Ring],
// and, over restarts, in one file of STATE_DIR, which a [Journal] writes.
//
// It owns: the numbers and times of the events, how many are kept, and the file. It
// never: decides what an event is, or answers requests.
package events
