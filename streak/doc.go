// Package streak limits the log lines of a failure that repeats: the first at once, then
// one a minute with the number of failures, and one with the duration when it is over.
//
// It owns that rule. It never logs, and never decides when something is tried again.
package streak
