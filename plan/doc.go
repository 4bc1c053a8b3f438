// Package plan determines everything about a proxy that can be known before it starts:
// HAProxy's executable and version, the template, the layout of its configuration, the
// addresses it listens on, its directories and limits, and a fingerprint of all that.
//
// It owns the translation of a [config.Proxy] into what the other packages need. It
// starts no HAProxy that serves, writes no configuration and keeps no state: a changed
// configuration is another [Plan].
package plan
