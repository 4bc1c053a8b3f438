// Package membership decides which instances of a group are meant to serve: those that
// are registered and not damped, and those that are held although they left.
//
// The package is pure: it reads HAProxy's state through [Facts] and takes the time as
// an argument; it never talks to HAProxy or ZooKeeper, and logs nothing.
package membership
