package e2e

import (
	"fmt"
	"os"
	"path/filepath"
)

// wrap puts a shell script between the daemon and HAProxy: it gets HAProxy's arguments
// and the last word that the test set with mode.
func (s *stage) wrap(script string) {
	s.t.Helper()
	text := fmt.Sprintf("#!/bin/sh\nhome=%s\nmode=$(cat $home/mode 2>/dev/null)\n%s\nexec %s \"$@\"\n", s.home, script, s.config.HAProxy)
	path := filepath.Join(s.home, "wrapper")
	if err := os.WriteFile(path, []byte(text), 0o700); err != nil {
		s.t.Fatal(err)
	}
	s.config.HAProxy = path
}

func (s *stage) mode(word string) {
	s.t.Helper()
	aside := filepath.Join(s.home, "mode.new")
	if err := os.WriteFile(aside, []byte(word), 0o600); err != nil {
		s.t.Fatal(err)
	}
	if err := os.Rename(aside, filepath.Join(s.home, "mode")); err != nil {
		s.t.Fatal(err)
	}
}
