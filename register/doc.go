// Package register is the life of one registration: an application that cannot register
// itself is checked, registered while it passes, and deregistered before it stops.
//
//	check ──▶ life ──▶ registrar (ZooKeeper)
//	signals ──▶   └──▶ command, if haproxy-zk is its parent
//
// It owns: the states and their order ([life], which is pure), the check, the name and the
// data of the node in each format, and the machine's own address. It never: talks to
// ZooKeeper, starts or waits for a process, reads flags or the environment, or ends the
// process: a [Registrar] and a [Command] are handed to it.
package register
