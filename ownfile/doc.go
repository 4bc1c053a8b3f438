// Package ownfile opens, reads and replaces files in directories where others may write,
// such as /tmp: a name there may be a link to another file, a FIFO, which would block its
// reader forever, or a file of another user.
//
// It never follows a symbolic link in the last element of a path, never waits for the
// other side of a FIFO, and never preserves another user's ownership or mode. Its errors
// are a [*Refusal], to which the caller adds the remedy.
package ownfile
