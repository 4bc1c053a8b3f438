// Package hactl runs the loop that keeps the servers of every HAProxy worker equal to
// the registered instances, and reloads HAProxy for changes that no command can make.
//
// Data flows one way. Lists of instances arrive through [Controller.SetGroup]; package
// membership decides which instances are meant to serve, and package slots assigns them
// servers: this is the desired state. The actual state is read from the workers, which
// form the fleet. The difference between the two is a list of commands. A schedule
// decides when the next reload is due; a [Reloader] performs it.
//
// The package never forks and never talks to ZooKeeper.
package hactl
