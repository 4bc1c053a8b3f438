package plan

import (
	"testing"

	"golang.org/x/sys/unix"
)

// The usual limits cause no warning; with a small one the warning has the number of
// connections.
func TestSmallMaxConnIsReported(t *testing.T) {
	for files, few := range map[uint64]bool{0: false, 1024: true, 4096: false, 1 << 20: false} {
		pl := &Plan{}
		pl.Frame.Files = files
		if maxconn, got := pl.FittedMaxConn(); got != few || maxconn == 0 {
			t.Errorf("%d files: %t, maxconn %d", files, got, maxconn)
		}
		pl.Template = "/own"
		if _, got := pl.FittedMaxConn(); got {
			t.Errorf("%d files: warned about another template", files)
		}
	}
}

func TestFileLimitIsUnchanged(t *testing.T) {
	var before, after unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &before); err != nil {
		t.Fatal(err)
	}
	hard, raisable, err := FileLimit(before.Max + 1)
	if err != nil || hard != before.Max {
		t.Errorf("%d %t %v", hard, raisable, err)
	}
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &after); err != nil || after != before {
		t.Errorf("%+v became %+v, %v", before, after, err)
	}
}
