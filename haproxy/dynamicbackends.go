package haproxy

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
)

// AnyGroup is the name of the defaults section from which the backends of discovered groups
// are added at run time, and stands for the group's name in [Frame.Discovered]. The names of
// the sections for other groups begin with it and a dot.
const AnyGroup = "haproxy-zk.group"

// AddBackend returns the request that adds the backend of a group to a process that has a
// [Kind] of that name. The backend has no servers, and no rule selects it before
// [PublishBackend].
func AddBackend(name, kind string) string { return "add backend " + name + " from " + kind }

// PublishBackend returns the request that lets rules select a backend. It may be repeated.
func PublishBackend(name string) string { return "publish backend " + name }

// UnpublishBackend returns the request that reverts [PublishBackend]. It may be repeated.
func UnpublishBackend(name string) string { return "unpublish backend " + name }

// DeleteBackend returns the requests that delete an unpublished backend without servers.
// The first one waits at most 10 ms for the end of requests that still refer to it.
func DeleteBackend(name string) []string {
	return []string{"wait 10ms be-removable " + name, "del backend " + name}
}

// ShowBackends is the request for the state of all backends; [BackendLines] parses its
// reply.
const ShowBackends = "show stat -1 2 -1"

// Addition is the outcome of an attempt to add a backend.
type Addition int

const (
	// Added is a backend that was added.
	Added Addition = iota
	// Existed is a backend that the process had before, maybe with servers.
	Existed
	// Refused is a backend that the process will not add, whatever is tried.
	Refused
)

// ParseAddition parses the reply of HAProxy 3.4 to [AddBackend]: one of
//
//	New backend registered.
//	Error during backend creation : name is already used by other proxy 'backend NAME'.
//
// or why it was refused.
func ParseAddition(name, reply string) Addition {
	switch {
	case strings.HasSuffix(reply, "New backend registered."): // maybe after warnings
		return Added
	case strings.HasSuffix(reply, "name is already used by other proxy 'backend "+name+"'."):
		return Existed
	}
	return Refused
}

// ConfirmPublished returns nil if reply says that [PublishBackend] or [UnpublishBackend] has
// had its effect.
func ConfirmPublished(request, reply string) error {
	if reply == "Backend published." || reply == "Backend unpublished." {
		return nil
	}
	return fmt.Errorf("%.300q: HAProxy answered %.200q", request, reply)
}

const backendUnknown = "No such backend."

// LacksBackend reports whether a reply says that the backend does not exist.
func LacksBackend(reply string) bool { return reply == backendUnknown }

// ParseBackendDeletion parses the replies of HAProxy 3.4 to [DeleteBackend]. What matters is
// the end of the last one, which may begin with messages about servers:
//
//	Backend deleted.
//	No such backend.
//	Only a backend without server can be deleted.
//	Backend must be unpublished prior to its deletion.
//	Backend still has attached streams on it.
//	This proxy cannot be removed at runtime due to other configuration elements pointing to it.
//
// Deleted is a backend that is gone, by this command or another; Busy is one that may be deleted
// later, and an error is one that cannot be, in one short line.
func ParseBackendDeletion(replies []string) (Deletion, error) {
	last := replies[len(replies)-1]
	switch {
	case last == backendUnknown, strings.HasSuffix(last, "Backend deleted."):
		return Deleted, nil
	case strings.HasSuffix(last, "Only a backend without server can be deleted."), strings.HasSuffix(last, "Backend still has attached streams on it."):
		return Busy, nil
	case strings.HasSuffix(last, "Backend must be unpublished prior to its deletion."):
		return InService, nil
	}
	return Busy, fmt.Errorf("delete a backend: HAProxy answered %.200q", last)
}

// BackendLines parses replies to [ShowBackends], line by line.
type BackendLines struct {
	take   func(name string, published bool)
	status int // the column; 0 before the header
}

// NewBackendLines returns a parser that calls take for each backend.
func NewBackendLines(take func(name string, published bool)) *BackendLines {
	return &BackendLines{take: take}
}

// Take parses the next line. The empty lines between replies are left out.
func (p *BackendLines) Take(line []byte) error {
	line = bytes.TrimSpace(line)
	if header, is := bytes.CutPrefix(line, []byte("# ")); is {
		p.status = slices.Index(strings.Split(string(header), ","), "status")
		if p.status < 2 || !bytes.HasPrefix(header, []byte("pxname,svname,")) {
			return fmt.Errorf("show stat: %.200q lacks a column", line)
		}
		return nil
	}
	if len(line) == 0 {
		return nil
	}
	fields := bytes.SplitN(line, []byte(","), p.status+2)
	if p.status == 0 || len(fields) <= p.status || string(fields[1]) != "BACKEND" {
		return fmt.Errorf("show stat: %.200q is no backend", line)
	}
	p.take(string(fields[0]), !bytes.HasSuffix(fields[p.status], []byte("(UNPUB)")))
	return nil
}

// Complete returns an error unless a header was taken.
func (p *BackendLines) Complete() error {
	if p.status == 0 {
		return fmt.Errorf("show stat: the reply has no header")
	}
	return nil
}
