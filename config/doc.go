// Package config turns the JSON file of the user, and the environment
// variables that it mentions, into a [Config] that is validated, complete and
// in the file's order. Without a file, variables describe one proxy. It reads
// no file and no environment by itself, starts nothing and talks to nobody.
//
// A file is an object of proxies; a proxy has an object of groups. Each key is
// read by one line of the reader of [Proxy] or [Group]: its form says which
// JSON values it takes and what they mean, and a key that is missing reads as
// if its default were written. Variables are made into the tree that a file
// would have, for the same readers. Whatever is wrong goes to a report, so that
// a user sees all of it at once.
//
// The tables of docs/configuration.md are generated from the settings in this
// package: go test ./config -update writes them.
package config
