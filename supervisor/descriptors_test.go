package supervisor

import (
	"os"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

func TestChildrenGetOnlyTheirDescriptors(t *testing.T) {
	inherited, err := unix.Open(os.DevNull, unix.O_RDONLY, 0) // open on exec
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(inherited)
	r := runReaper(t)
	got, err := r.Output(t.Context(), shell, "-c", "echo /proc/self/fd/*") // one more, of that folder
	if err != nil {
		t.Fatal(err)
	}
	if n := len(strings.Fields(got)); n != 4 {
		t.Errorf("a child has %s", got)
	}
}
