// Package accesslog writes the lines that HAProxy logs for requests where the operator
// wants them: to haproxy-zk's log, to stdout, to a file or a FIFO, or nowhere.
//
// It owns the file: opening it safely, rotation, and what happens while it cannot be
// written. It never blocks who adds a line, and never decides which lines are requests.
package accesslog
