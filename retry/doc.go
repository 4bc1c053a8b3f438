// Package retry decides when a failed action is tried again.
//
// It owns: the one backoff of this module, and which failures are a shortage that may
// pass. It never: tries anything itself, or logs.
package retry
