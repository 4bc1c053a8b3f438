// Package logging writes the log of a process: one printable line per message, as text or
// JSON, to an [Output] that never blocks its caller.
//
// It owns the handler's format, the queue before the output and the count of dropped
// lines. It never decides what is logged, or at which level.
package logging
