package plan

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

func TestUnwritableFolderErrorNamesRemedy(t *testing.T) {
	uid := fmt.Sprint(os.Geteuid())
	for _, test := range []struct {
		where string
		err   error
		words []string
	}{
		{"RUN_DIR", unix.EROFS, []string{"read-only", "--tmpfs /x", "RUN_DIR or --run-dir"}},
		{"RUN_DIR", unix.EACCES, []string{"let user " + uid, "chown " + uid + " /x", "--tmpfs /x", "--run-dir"}},
		{"RUN_DIR", unix.EPERM, []string{"let user " + uid}},
		{"RUN_DIR", unix.ENOSPC, []string{"free space"}},
		{"RUN_DIR", unix.ENOTDIR, []string{"RUN_DIR or --run-dir"}},
		{"STATE_DIR", unix.EROFS, []string{"--volume NAME:/x", "STATE_DIR or --state-dir"}},
		{"STATE_DIR", unix.EACCES, []string{"chown", "--state-dir"}},
		{"web.conf_file", unix.EROFS, []string{"--tmpfs /x", "name another place"}},
	} {
		got := FolderRemedy(test.where, "/x", &os.PathError{Op: "open", Path: "/x/y", Err: test.err})
		for _, words := range test.words {
			if !strings.Contains(got, words) {
				t.Errorf("%s, %v: %q does not say %q", test.where, test.err, got, words)
			}
		}
	}
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	err := MakeFolder("RUN_DIR", filepath.Join(file, "run"))
	for _, words := range []string{"RUN_DIR", "user " + uid, file, "--run-dir"} {
		if err == nil || !strings.Contains(err.Error(), words) {
			t.Errorf("%v does not say %q", err, words)
		}
	}
	made := filepath.Join(t.TempDir(), "a", "b")
	if err := MakeFolder("RUN_DIR", made); err != nil {
		t.Error(err)
	}
	if left, err := os.ReadDir(made); err != nil || len(left) > 0 {
		t.Errorf("left in it: %v, %v", left, err)
	}
}
