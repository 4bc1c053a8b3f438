package haproxy

import (
	"errors"
	"fmt"
)

// ErrUnknownReply is wrapped by the error for a reply that no known version gives: whether
// the command was executed has to be read.
var ErrUnknownReply = errors.New("unknown reply")

// Deletion is the outcome of an attempt to delete a server.
type Deletion int

const (
	// Deleted is a server that is gone, by this command or another.
	Deleted Deletion = iota
	// Busy is a server that connections are still attached to.
	Busy
	// InService is a server that is not in maintenance.
	InService
)

const (
	serverDeleted  = "Server deleted."
	serverUnknown  = "No such server."
	serverBusy     = "Server still has connections attached to it, cannot remove it."
	serverNotMaint = "Only servers in maintenance mode can be deleted."
)

// Delete returns the requests that delete a server, BACKEND/SERVER, which is in maintenance.
// The first one makes HAProxy 3.4 close the idle connections to it, which would keep it
// from being deleted; it takes at most 10 ms.
func Delete(server string) []string {
	return []string{"wait 10ms srv-removable " + server, "del server " + server}
}

// ParseDeletion parses the replies to the requests of [Delete], from HAProxy 3.0 to 3.4. What
// matters is the last one:
//
//	Server deleted.
//	No such server.
//	Server still has connections attached to it, cannot remove it.
//	Only servers in maintenance mode can be deleted.
//
// Its error is one short line about a reply that is none of these; it wraps
// [ErrUnknownReply].
func ParseDeletion(replies []string) (Deletion, error) {
	switch last := replies[len(replies)-1]; last {
	case serverDeleted, serverUnknown:
		return Deleted, nil
	case serverBusy:
		return Busy, nil
	case serverNotMaint:
		return InService, nil
	default:
		return Busy, fmt.Errorf("delete a server: HAProxy answered %.200q: %w", last, ErrUnknownReply)
	}
}
