// Package haproxy speaks HAProxy's languages: the commands and replies of its stats
// socket, the text of its configuration, the messages that it prints, and the
// differences between its versions.
//
// It knows nothing of registered instances and keeps no state: values go in, and text,
// values or one answer come out. It never forks, and imports nothing of this module
// but retry.
package haproxy
