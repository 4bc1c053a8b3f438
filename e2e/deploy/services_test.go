package deploy

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/haproxy-zk/haproxy-zk/e2e/rig"
)

const application = "web"

// services are instances of one application in a directory, which any number of load
// balancers read.
type services struct {
	t   *testing.T
	dir string
}

func newServices(t *testing.T) *services {
	t.Helper()
	s := &services{t, home(t)}
	must(t, os.MkdirAll(filepath.Join(s.dir, application, "instances"), 0o755))
	return s
}

// setting makes a haproxy-zk use the directory.
func (s *services) setting() string { return "SERVICES_DIR=" + s.dir }

// add creates the file of an instance.
func (s *services) add(app *rig.App, err error) *rig.App {
	s.t.Helper()
	must(s.t, err)
	s.t.Cleanup(func() {
		if err := app.Stop(); err != nil {
			s.t.Error(err)
		}
	})
	must(s.t, os.WriteFile(filepath.Join(s.dir, application, "instances", app.Addr()), nil, 0o600))
	return app
}

// target is what clients request of them.
func target() rig.Target { return rig.Target{Path: "/" + application + "/", App: application} }
