// Package setup tests the scripts that a new contributor runs first, build/setup and
// build/haproxy, in a checkout and with a fake apt.
package setup
