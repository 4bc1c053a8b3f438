// Package httpserver ends an HTTP server the way all servers of this module end.
//
// It owns: serving until a context is done, the grace of running requests, the cut after
// it, and whether a client accepts a compressed answer, and compressing it. It never: decides what
// is answered, or listens.
package httpserver
