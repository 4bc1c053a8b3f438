// Package decode reads one registration: the name of a child znode, and its data if the
// format has any, become an address and what the registration says about it, or the
// reason why there is none. It is pure: it does no I/O, resolves no names and knows no
// ZooKeeper. It is given whatever others write, up to a megabyte, and never panics.
package decode
