package rig

import (
	"errors"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/haproxy-zk/haproxy-zk/e2e/needs"
)

func TestDisk(t *testing.T) {
	needs.Namespaces(t)
	dir := filepath.Join(t.TempDir(), "disk")
	d, err := MountDisk(dir)
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(dir, "file")
	write := func() error { return os.WriteFile(file, []byte("text"), 0o600) }
	for name, fill := range map[string]func() error{"full": d.Fill, "no more files": d.FillNodes} {
		if err := fill(); err != nil {
			t.Fatal(err)
		}
		if err := write(); !errors.Is(err, syscall.ENOSPC) {
			t.Errorf("%s: %v", name, err)
		}
		_ = os.Remove(file)
		if err := d.Free(); err != nil {
			t.Error(err)
		}
		if err := write(); err != nil {
			t.Errorf("%s, and free again: %v", name, err)
		}
		if err := os.Remove(file); err != nil {
			t.Error(err)
		}
	}
	if err := d.Close(); err != nil {
		t.Fatal(err)
	}
	if all, err := os.ReadDir(dir); err != nil || len(all) > 0 {
		t.Errorf("%v, %v", all, err)
	}
}
