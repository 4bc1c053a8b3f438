// Package contract tests what every source of instances promises, with the real ones: a
// ZooKeeper and a directory.
package contract
