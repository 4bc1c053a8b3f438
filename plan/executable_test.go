package plan

import (
	"os"
	"path/filepath"
	"testing"
)

func TestReplacedExecutableIsDetected(t *testing.T) {
	path := filepath.Join(t.TempDir(), "haproxy")
	put := func(content string) executable {
		t.Helper()
		if err := os.WriteFile(path+".new", []byte(content), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.Rename(path+".new", path); err != nil {
			t.Fatal(err)
		}
		return identify(path)
	}
	first := put("\x7fELF one")
	if !first.binary || first != identify(path) {
		t.Errorf("%+v, then %+v", first, identify(path))
	}
	if second := put("\x7fELF two"); second == first {
		t.Error("another file of the same size is the same program")
	}
	if script := put("#!/bin/sh\nexec haproxy \"$@\"\n"); script.binary {
		t.Error("a script passes for a binary: what it runs may change")
	}
	if none := identify(path + ".none"); none != (executable{}) {
		t.Errorf("%+v", none)
	}
}
