package supervisor

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/haproxy-zk/haproxy-zk/registry"
)

// mapName is the file of the map in the directory of the configuration.
const mapName = "haproxy.cfg.path.map"

func (s *stage) mapFile() string { return filepath.Join(s.dir, mapName) }

// reloadWith reloads with the text of a map.
func (s *stage) reloadWith(config, text string) error {
	s.t.Helper()
	_, err := s.Reload(s.t.Context(), registry.Launch{Config: []byte(config), Maps: []registry.Map{{Path: s.mapFile(), Text: []byte(text)}}, Cause: "groups"})
	return err
}

func TestMapsAreReplacedWithTheConfiguration(t *testing.T) {
	s := startStage(t, Options{})
	// HAProxy explains a rejection with the map that belongs to the configuration.
	rejects := func() {
		t.Helper()
		if err := s.reloadWith("map new refuse", "new"); !errors.Is(err, registry.ErrRefused) || !strings.Contains(err.Error(), "unknown keyword") {
			t.Errorf("Reload: %v", err)
		}
	}
	rejects()
	if _, err := os.Lstat(s.mapFile()); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a start that failed leaves a map: %v", err)
	}
	for _, text := range []string{"old", "older"} {
		if err := s.reloadWith("map "+text, text); err != nil {
			t.Fatal(err)
		}
		isOurs(t, s.mapFile(), text, confMode)
	}
	rejects()
	isOurs(t, s.mapFile(), "older", confMode)
	isOurs(t, s.ConfFile, "map older", confMode)

	unwritable := registry.Launch{Config: []byte("map new"), Maps: []registry.Map{
		{Path: s.mapFile(), Text: []byte("new")}, {Path: filepath.Join(s.dir, "none", "map")},
	}}
	if _, err := s.Reload(t.Context(), unwritable); !errors.Is(err, fs.ErrNotExist) || !strings.Contains(err.Error(), "map") {
		t.Errorf("Reload: %v", err)
	}
	isOurs(t, s.mapFile(), "older", confMode)
	isOurs(t, s.ConfFile, "map older", confMode)
	for _, path := range []string{s.mapFile(), s.ConfFile, s.PIDFile} {
		if _, err := os.Lstat(path + backupSuffix); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%s%s: %v", path, backupSuffix, err)
		}
	}
}

func TestAdoptWritesMaps(t *testing.T) {
	s, pids := leaves(t, Options{}, "workers 1")
	if err := os.WriteFile(s.mapFile(), []byte("edited"), 0o644); err != nil {
		t.Fatal(err)
	}
	s.begin()
	_, err := s.Adopt(t.Context(), registry.Launch{Config: []byte("rendered anew"), Maps: []registry.Map{{Path: s.mapFile(), Text: []byte("ours")}}, Shape: shape})
	if err != nil {
		t.Fatal(err)
	}
	isOurs(t, s.mapFile(), "ours", confMode)
	s.generationsAre(pids[0])
}
