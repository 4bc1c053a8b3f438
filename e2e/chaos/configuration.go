package chaos

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"syscall"

	"github.com/haproxy-zk/haproxy-zk/e2e/rig"
)

// written is a group that is added to and removed from the configuration file.
const written = "extra"

// reread makes haproxy-zk reload the configuration, and waits until it has.
func (w *world) reread(ctx context.Context, result string) error {
	pattern := fmt.Sprintf(`(?m)^haproxyzk_configuration_reads_total\{result="%s"\} (\d+)$`, result)
	count := func() (int, error) {
		_, metrics, err := w.get("/metrics")
		if err != nil {
			return 0, err
		}
		return number(metrics, pattern)
	}
	before, err := count()
	if err != nil {
		return err
	}
	if err := w.signal(syscall.SIGHUP); err != nil {
		return err
	}
	return w.eventually(ctx, "the configuration is read: "+result, func() error {
		now, err := count()
		if err == nil && now == before {
			err = errors.New("not yet")
		}
		return err
	})
}

// addGroup writes a group to the file, waits until it serves, and removes it.
func addGroup(ctx context.Context, w *world, s step) error {
	t := w.team(written)
	apps, err := t.join(few)
	if err != nil {
		return err
	}
	// Without an entry in the file it is a discovered group, with an ACL of that kind.
	err = w.configure(rig.Group{Name: written, ACLs: []string{"path_beg /" + written + "/"}})
	if err == nil {
		err = w.reread(ctx, "ok")
	}
	if err == nil {
		err = t.serve(ctx, apps...)
	}
	if err == nil {
		err = w.during(ctx, s, written)
	}
	if err := errors.Join(err, w.configure()); err != nil {
		return err
	}
	if err := w.reread(ctx, "ok"); err != nil {
		return err
	}
	if err := t.leave(ctx, apps...); err != nil {
		return err
	}
	return t.vanish()
}

// spoil makes the file invalid: nothing changes.
func spoil(ctx context.Context, w *world, s step) error {
	file := filepath.Join(w.home, "etc", "web.config.json")
	good, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	if err := os.WriteFile(file, good[:len(good)/2], 0o644); err != nil {
		return err
	}
	err = w.reread(ctx, "error")
	s.keep(ctx)
	return errors.Join(err, os.WriteFile(file, good, 0o644))
}
