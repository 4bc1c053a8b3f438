// Package config turns the user's JSON file, and the environment variables it references,
// into a [Config] that is validated, complete and in the file's order. Without a file,
// variables describe one proxy. [Process] has the settings beside the proxies. The package reads no file and no environment by itself,
// starts nothing and uses no network.
//
// A file is an object of proxies; a proxy has an object of groups. Each key is read by one
// line of the reader of [Proxy] or [Group]: its form says which JSON values it takes and
// what they mean, and a missing key reads as if its default were written. Variables are
// converted into the tree of a file, for the same readers. All problems are collected in a
// report, so that the user sees them at once.
//
// The tables of docs/configuration.md are generated from the settings in this package:
// go test ./config -update writes them.
package config
