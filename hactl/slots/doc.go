// Package slots has the server table of one group: which instance has which server of
// the backend, in which state. It computes the commands that make a worker's servers
// match the table.
//
// The package is pure: it neither talks to HAProxy nor reads a clock, and it does not
// decide which instances serve. Its types belong to one goroutine.
package slots
