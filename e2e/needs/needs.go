package needs

import (
	"os"
	"testing"
)

// LeftOut begins the message of a skipped test; the need and the error follow.
const LeftOut = "left out for want of "

// Need is something that a machine may lack.
type Need struct {
	Name  string // in the list at the end, such as "CAP_SYS_ADMIN"
	probe func() error
}

// Missing returns why the machine does not meet the need; nil if it does.
func (n Need) Missing() error { return n.probe() }

// All returns all needs of `make test`.
func All() []Need { return []Need{namespaces(), ipv6(), networks(), fuse(), kazoo(), curator()} }

// Namespaces is for tests that mount, or start processes in their own namespaces.
func Namespaces(t *testing.T) { t.Helper(); namespaces().of(t) }

// Networks is for tests that create hosts of their own: network namespaces, with links
// between them.
func Networks(t *testing.T) { t.Helper(); networks().of(t) }

// FUSE is for tests of a file system that does not answer. They mount, too.
func FUSE(t *testing.T) { t.Helper(); namespaces().of(t); fuse().of(t) }

// IPv6 is for tests that listen on ::1.
func IPv6(t *testing.T) { t.Helper(); ipv6().of(t) }

// Kazoo is for tests of what applications in Python register.
func Kazoo(t *testing.T) { t.Helper(); kazoo().of(t) }

// Curator is for tests of what applications in Java register: it also takes a compiler.
func Curator(t *testing.T) { t.Helper(); curator().of(t) }

// Swarm is for tests that create a Docker Swarm of this host alone, and leave it.
func Swarm(t *testing.T) { t.Helper(); swarm().of(t) }

func (n Need) of(t *testing.T) {
	t.Helper()
	switch err := n.Missing(); {
	case err == nil:
	case os.Getenv("CI") == "true":
		t.Fatalf("%s is missing: %v", n.Name, err)
	default:
		t.Skipf("%s%s: %v", LeftOut, n.Name, err)
	}
}
