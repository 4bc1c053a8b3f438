// Package documents compares the documents with the repository: links, names of tests,
// metrics, make targets and log messages exist, README stays short, and the
// translations follow the originals.
package documents
