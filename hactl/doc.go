// Package hactl speaks HAProxy's languages: the text of its configuration, the
// commands and replies of its stats socket, and the differences between its
// versions. It keeps the slot tables and runs the loop that makes every worker
// equal to what is registered.
//
// Data goes one way. What is desired comes in by [Controller.SetGroup]; what
// is, is read from the workers; the difference is a list of commands. What no
// command can do is asked of a [Reloader].
//
// It never forks and never talks to ZooKeeper.
package hactl
