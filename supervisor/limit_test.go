package supervisor

import (
	"strconv"
	"strings"
	"testing"

	"github.com/haproxy-zk/haproxy-zk/registry"
)

// Beyond what the kernel gives to anybody.
const tooManyFiles = 1 << 40

func TestUnattainableNeededFilesFail(t *testing.T) {
	s := startStage(t, Options{})
	_, err := s.Reload(t.Context(), registry.Launch{Config: []byte("x"), Cause: "start", FilesWanted: tooManyFiles, FilesNeeded: tooManyFiles})
	if err == nil || !strings.Contains(err.Error(), strconv.Itoa(tooManyFiles)) {
		t.Errorf("it does not say how many are needed: %v", err)
	}
	if calls := s.lines("calls"); len(calls) > 0 {
		t.Errorf("HAProxy was called: %q", calls)
	}
}

func TestUnattainableWantedFilesWarn(t *testing.T) {
	s := startStage(t, Options{})
	if _, err := s.Reload(t.Context(), registry.Launch{Config: []byte("x"), Cause: "start", FilesWanted: tooManyFiles}); err != nil {
		t.Error(err)
	}
}
