package deploy

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/haproxy-zk/haproxy-zk/e2e/rig"
)

// volume is a directory as an engine mounts a ConfigMap or secret: the files are links
// through ..data, which is replaced to change all of them at once.
type volume struct {
	t     *testing.T
	dir   string
	count int
}

// put replaces all files.
func (v *volume) put(files map[string]string) {
	v.t.Helper()
	v.count++
	data := fmt.Sprintf("..2026_%d", v.count)
	must(v.t, os.Mkdir(filepath.Join(v.dir, data), 0o755))
	for name, text := range files {
		must(v.t, os.WriteFile(filepath.Join(v.dir, data, name), []byte(text), 0o600))
	}
	must(v.t, os.Symlink(data, filepath.Join(v.dir, "..data_tmp")))
	must(v.t, os.Rename(filepath.Join(v.dir, "..data_tmp"), filepath.Join(v.dir, "..data")))
	for name := range files {
		if err := os.Symlink("..data/"+name, filepath.Join(v.dir, name)); err != nil && !errors.Is(err, os.ErrExist) {
			v.t.Fatal(err)
		}
	}
	// What the links led to before is removed.
	if v.count > 1 {
		must(v.t, os.RemoveAll(filepath.Join(v.dir, fmt.Sprintf("..2026_%d", v.count-1))))
	}
}

// A changed ConfigMap takes effect at SIGHUP, and not before; an invalid one never does.
func TestConfigurationIsReadThroughTheLinksOfAMount(t *testing.T) {
	t.Parallel()
	s := newServices(t)
	s.add(rig.StartApp(application))
	b := newBalancer(t, nil)
	v := &volume{t: t, dir: home(t)}
	put := func(mark, more string) {
		t.Helper()
		config, err := json.Marshal(map[string]any{"default": map[string]any{
			"dir": s.dir, "template": v.dir + "/haproxy.template", "exec": b.executable(), "socket_files": []string{b.home + "/run/default.1.sock"},
			"listener_port": "${LISTENER}", "admin_port": port(t),
			"groups": map[string]any{application: map[string]any{"default_backend": true, "lines_file": v.dir + "/lines"}},
		}})
		must(t, err)
		v.put(map[string]string{
			"config.json": string(config), "haproxy.template": rig.SeedTemplate + more,
			"lines": "timeout server " + mark + "\n",
		})
	}
	has := func(mark string) error {
		_, rendered := b.get("/default/config")
		if !strings.Contains(rendered, "timeout server "+mark) {
			return fmt.Errorf("no %q in %s", mark, rendered)
		}
		return nil
	}

	put("1001ms", "")
	b.launch("CONFIG="+v.dir+"/config.json", fmt.Sprintf("LISTENER=%d", b.listener))
	must(t, has("1001ms"))
	put("1002ms", "")
	must(t, has("1001ms"))
	b.signal(syscall.SIGHUP)
	eventually(t, "the second configuration is in effect", func() error { return has("1002ms") })

	put("1003ms", "\nbackend broken\n    no-such-keyword\n")
	b.signal(syscall.SIGHUP)
	eventually(t, "the third configuration is rejected", func() error {
		if _, body := b.get("/readyz"); !strings.Contains(body, "no-such-keyword") {
			return errors.New(body)
		}
		return nil
	})
	must(t, has("1002ms"))
	must(t, b.ready())

	put("1004ms", "")
	b.signal(syscall.SIGHUP)
	eventually(t, "the fourth configuration is in effect", func() error { return has("1004ms") })
	b.signal(syscall.SIGTERM)
	b.exits()
}
